package pebblestore

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// held is what one call holds while it works on a record.
type held struct {
	store   *Store
	who     *store.Identity
	service *service // nil: nothing of it was ever written
	hash    uint64   // of its id
	stripe  *stripe
	record  store.Record // State Absent if there is none; its Reply is the call's own
	place   place        // of the record
	bucket  *bucket      // of the place; nil: the attic
	reserve int64
	cost    int64
	key     []byte
}

// open locks the record and reads what a transition reads: until close, that is one moment for all who ask for that record. After an error nothing is locked.
func (s *Store) open(ctx context.Context, h *held, who *store.Identity, t store.Token, writes bool) (store.Env, error) {
	if t != (store.Token{}) { // it may write
		if err := s.logs.wait(ctx); err != nil {
			return store.Env{}, err
		}
	}
	if err := s.enter(ctx); err != nil {
		return store.Env{}, err
	}
	if t != (store.Token{}) {
		s.backlog.ask(s.db)
	}
	h.store, h.who = s, who
	var err error
	if h.service = s.find(who.Service); h.service == nil && writes {
		if h.service, err = s.service(who.Service); err != nil {
			s.life.RUnlock()
			return store.Env{}, err
		}
	}
	if h.service != nil {
		h.service.gate.RLock()
	}
	h.hash = maphash.Bytes(s.seed, who.ID[:])
	h.stripe = &s.stripes[h.hash%stripeCount]
	h.stripe.Lock()
	env, err := h.load(t)
	if err != nil {
		h.close()
		return store.Env{}, err
	}
	return env, nil
}

func (h *held) close() {
	h.stripe.Unlock()
	if h.service != nil {
		h.service.gate.RUnlock()
	}
	h.store.life.RUnlock()
}

func (h *held) load(t store.Token) (env store.Env, err error) {
	s := h.store
	if cause := s.Err(); cause != nil { // what the caller before has left in memory is perhaps not on the disk
		return env, cause
	}
	if h.service != nil {
		if !h.stripe.recall(h) {
			if err := h.probe(); err != nil {
				return env, err
			}
		}
		env.Watermark = h.service.watermark
	}
	env.Now = s.clock.now()
	if t != (store.Token{}) && s.marks.Load() > 0 {
		until, err := s.mark(h.who.ID, t)
		if err != nil {
			return env, err
		}
		env.Dead = until != 0 && env.Now <= until
	}
	return env, nil
}

// probe finds the record: in the bucket of its stamp, or in the newest fresh bucket and so on, and in the attic last. The time in a UUIDv7 may or may not have been
// taken for a stamp when the record was made, so such a key is looked for in both places. For an unstamped one that is a bucket more, if there is one; a stamped
// one costs as much as an unstamped one then, but only when it is new, and only while its service has fresh buckets: none, a window after the last unstamped key.
func (h *held) probe() error {
	live := h.service.live.Load()
	var found bool
	var err error
	if h.who.Stamp != 0 {
		found, err = h.probeStamp(live, h.who.Stamp)
		if !found && err == nil && len(live.fresh) > 0 && agedStamp(h.who.Key) != 0 {
			found, err = h.probeFresh(live)
		}
	} else if found, err = h.probeFresh(live); !found && err == nil {
		if at := agedStamp(h.who.Key); at != 0 {
			found, err = h.probeStamp(live, at)
		}
	}
	if !found && err == nil && h.service.attic.Load() > 0 {
		_, err = h.try(place{kind: attic}, nil)
	}
	return err
}

func (h *held) probeStamp(live *buckets, at store.Time) (bool, error) {
	p := place{stamped, at}
	if b := live.at(p, h.store.width); b != nil {
		return h.try(p, b)
	}
	return false, nil
}

func (h *held) probeFresh(live *buckets) (bool, error) {
	for _, b := range slices.Backward(live.fresh) {
		if found, err := h.try(place{fresh, b.at}, b); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// agedStamp is the stamp that the text of a UUIDv7 has if its time is taken for one; zero: it has none.
func agedStamp(text string) store.Time {
	key, err := onceward.ParseKey(text)
	if err != nil {
		return 0
	}
	at, ok := key.UUIDv7Time()
	if !ok {
		return 0
	}
	return store.TimeOf(at)
}

func (h *held) try(p place, b *bucket) (found bool, err error) {
	defer readSafely(&err)
	h.key = recordKey(h.key[:0], h.service.number, p, h.who.ID)
	if b != nil && b.sieve.lacks(h.hash) {
		return false, nil
	}
	value, closer, err := h.store.db.Get(h.key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, readFailed("read", err)
	}
	defer closer.Close()
	h.record, h.reserve, err = decode(*h.who, value)
	if err != nil {
		return false, err
	}
	h.record.Reply = slices.Clone(h.record.Reply)
	h.place, h.bucket, h.cost = p, b, cost(h.record, len(value), h.reserve)
	return true, nil
}
