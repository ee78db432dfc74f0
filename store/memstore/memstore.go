package memstore

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/onceward/onceward/store"
)

// Store is a [store.Store] in memory. It is safe for concurrent use; make one with [New].
//
// A Reply in an answer may be the store's own memory, which never changes: callers must not write to it.
type Store struct {
	config Config
	clock  clock
	room   room
	trail  trail
	seed   maphash.Seed
	shards [shardCount]shard

	upkeep  sync.Mutex // one Seal or Purge at a time
	nextDue int        // the shard where the next Purge begins; under upkeep

	closing chan struct{}
	once    sync.Once
}

var _ store.Store = (*Store)(nil)

// New returns an empty store. It starts nothing in the background.
func New(c Config) *Store {
	c = c.withDefaults()
	s := &Store{
		config: c,
		// Where a record stands must not be a stranger's choice: many keys in one shard would make it slow.
		seed:    maphash.MakeSeed(),
		closing: make(chan struct{}),
	}
	s.clock.source = c.Clock
	s.room.maxRecords, s.room.maxBytes = c.MaxRecords, c.MaxBytes
	s.trail.size = c.TrailSize
	for i := range s.shards {
		sh := &s.shards[i]
		sh.services = make(map[string]*service)
		sh.open = make(map[store.ID]*openRecord)
		sh.waits = make(map[store.ID]*waiting)
	}
	return s
}

// Traits says what this store promises: everything while the process lives, nothing after.
func (s *Store) Traits() store.Traits {
	return store.Traits{
		Name:      "memory",
		Survives:  store.SurvivesNothing,
		Notifies:  true,
		ListsDone: true,
		Caveats: []string{
			"The audit trail is in memory too and keeps the newest entries only.",
		},
	}
}

// Close frees the records and wakes all waiters. Calls that are under way end first or return [store.ErrClosed].
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		for i := range s.shards {
			sh := &s.shards[i]
			sh.mu.Lock()
			sh.free()
			sh.mu.Unlock()
		}
		s.trail.free()
	})
	return nil
}

// enter locks the shard of id, unless the call is over already.
func (s *Store) enter(ctx context.Context, id store.ID) (*shard, uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	hash := s.hash(id)
	sh := &s.shards[hash>>56]
	sh.mu.Lock()
	if sh.closed {
		sh.mu.Unlock()
		return nil, 0, store.ErrClosed
	}
	return sh, hash, nil
}

func (s *Store) hash(id store.ID) uint64 { return maphash.Bytes(s.seed, id[:]) }

// over reports why a call on the whole store must not begin.
func (s *Store) over(ctx context.Context) error {
	select {
	case <-s.closing:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}
