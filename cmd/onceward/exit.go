package main

import (
	"errors"

	"github.com/onceward/onceward/cmd/onceward/internal/adminapi"
)

// Exit codes. Those above 1 are of `onceward keys`; docs/operations.md says what a script does with each.
const (
	exitFailed      = 1 // anything else
	exitWrong       = 2
	exitMissing     = 3
	exitConflict    = 4
	exitUnconfirmed = 5
	exitForbidden   = 6
	exitNoAnswer    = 7
	exitUncertain   = 8
)

var exitCodes = map[adminapi.Kind]int{
	adminapi.Wrong:     exitWrong,
	adminapi.Missing:   exitMissing,
	adminapi.Conflict:  exitConflict,
	adminapi.Forbidden: exitForbidden,
	adminapi.NoAnswer:  exitNoAnswer,
	adminapi.Uncertain: exitUncertain,
}

// exitStatus is what the process ends with. Only `onceward keys` tells its failures apart.
func exitStatus(err error) int {
	var coded *codedError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &coded):
		return coded.code
	}
	return exitFailed
}

// codedError is an error of a command that tells its failures apart.
type codedError struct {
	error

	code int
}

func (e *codedError) Unwrap() error { return e.error }

// coded finds the exit code of an error of `onceward keys`.
func coded(err error) error {
	var already *codedError
	switch code, kind := exitCodes[adminapi.KindOf(err)], errors.Is(err, errUnconfirmed); {
	case err == nil || errors.As(err, &already):
		return err
	case kind:
		return &codedError{err, exitUnconfirmed}
	case code != 0:
		return &codedError{err, code}
	}
	return err
}

func wrong(err error) error {
	if err == nil {
		return nil
	}
	return &codedError{err, exitWrong}
}
