package pebblestore

import (
	"sync"

	"github.com/onceward/onceward/store"
)

const stripeCount = 8192

// stripe is the lock of all records whose id has its number. Two records that share one wait for each other's sync now and then.
//
// It also remembers its newest open record, which its owner will most likely complete next: that saves a read.
type stripe struct {
	sync.Mutex
	live    *buckets // as they were: a removal replaces them, and what it has moved stands elsewhere then
	record  store.Record
	place   place
	bucket  *bucket
	reserve int64
	cost    int64
}

// keep remembers what a change has made of a record. The stripe is locked, and the service's gate passed.
func (s *stripe) keep(c *change) {
	if !c.next.Open() {
		if s.record.ID == c.who.ID {
			s.live, s.record = nil, store.Record{}
		}
		return
	}
	s.live, s.record = c.service.live.Load(), c.next
	s.place, s.bucket, s.reserve, s.cost = c.to, c.bucket, c.reserve, c.cost
}

// recall gives a call the record that it asks for, if it is remembered.
func (s *stripe) recall(h *held) bool {
	if s.record.ID != h.who.ID || s.live != h.service.live.Load() {
		return false
	}
	h.record, h.place, h.bucket, h.reserve, h.cost = s.record, s.place, s.bucket, s.reserve, s.cost
	return true
}
