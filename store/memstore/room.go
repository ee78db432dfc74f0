package memstore

import (
	"fmt"
	"sync/atomic"

	"github.com/onceward/onceward/store"
)

var (
	errTooManyRecords = fmt.Errorf("memstore: MaxRecords is reached; purge, or raise it: %w", store.ErrFull)
	errTooManyBytes   = fmt.Errorf("memstore: MaxBytes is reached; purge, or raise it: %w", store.ErrFull)
)

// room counts what the whole store holds against its bounds.
type room struct {
	maxRecords, maxBytes int64
	records, bytes       atomic.Int64
}

// take makes room for what is new, or refuses.
func (m *room) take(records, bytes int64) error {
	if !take(&m.records, records, m.maxRecords) {
		return errTooManyRecords
	}
	if !take(&m.bytes, bytes, m.maxBytes) {
		m.records.Add(-records)
		return errTooManyBytes
	}
	return nil
}

// give counts what has to be held whether or not there is room, or, with negative numbers, what has gone.
func (m *room) give(records, bytes int64) {
	m.records.Add(records)
	m.bytes.Add(bytes)
}

// take compares by subtraction: a sum could overflow where there is no limit.
func take(counter *atomic.Int64, n, most int64) bool {
	for {
		have := counter.Load()
		if n > 0 && n > most-have {
			return false
		}
		if counter.CompareAndSwap(have, have+n) {
			return true
		}
	}
}

// What a record costs beside its strings and its reply, in bytes. An open record costs more than the same record done
// with a reply within its reserve, so that completing never needs room: A11.
const (
	openOverhead = 512                   // the record, its place in the map and both strings' headers
	doneOverhead = entryHeader + 13 + 20 // of its entry, in the index and in the heap of what is due
	markOverhead = 160                   // in the map and in the heap
	maxReserve   = 1 << 50               // beyond any memory; keeps sums far from overflow
)

func openSize(who store.Identity, reserve int64) int64 {
	return openOverhead + int64(len(who.Principal)+len(who.Key)) + reserve
}

func doneSize(encoded int) int64 { return doneOverhead + int64(encoded) }
