package pebblestore

import "sync/atomic"

// room counts what the store holds against its bounds. A bound of zero is none.
type room struct {
	maxRecords, maxBytes int64
	records, bytes       atomic.Int64
	reserved             atomic.Int64 // bytes of replies that open records may still need
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

func take(counter *atomic.Int64, n, most int64) bool {
	for {
		have := counter.Load()
		if most != 0 && n > 0 && n > most-have {
			return false
		}
		if counter.CompareAndSwap(have, have+n) {
			return true
		}
	}
}
