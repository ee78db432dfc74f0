package pebblestore

import (
	"errors"
	"fmt"

	"github.com/onceward/onceward/store"
)

// Why a directory cannot serve. Errors of [Open] and of a store wrap them.
var (
	ErrInUse    = errors.New("pebblestore: the directory is in use")
	ErrForeign  = errors.New("pebblestore: not a directory of this store")
	ErrVersion  = errors.New("pebblestore: the directory was written by another version")
	ErrCorrupt  = errors.New("pebblestore: the directory is damaged")
	ErrReadOnly = errors.New("pebblestore: the directory cannot be written")
	ErrFailed   = errors.New("pebblestore: the disk has failed")
)

var (
	errTooManyRecords = fmt.Errorf("pebblestore: MaxRecords is reached; purge, or raise it: %w", store.ErrFull)
	errTooManyBytes   = fmt.Errorf("pebblestore: MaxBytes is reached; purge, or raise it: %w", store.ErrFull)
)

func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pebblestore: %s: %w", op, err)
}

// firstError keeps the first error of many.
type firstError struct{ err error }

func (f *firstError) add(err error) {
	if f.err == nil {
		f.err = err
	}
}
