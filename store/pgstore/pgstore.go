package pgstore

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

// Store is a [store.Store] in PostgreSQL, for effects outside of the database. It is safe for concurrent use; make one with [New].
type Store struct {
	pool    *pgxpool.Pool
	config  Config
	sql     statements
	traits  store.Traits
	closing chan struct{}
	once    sync.Once
	tended  bool // its own maintainer makes partitions: Purge need not look whether somebody does
	promised

	// last is the newest time of the server that this process has seen. Each call hands it to the server, which answers nothing older: X4, for all that
	// this process is told, even if the server's clock is set back. Other processes may then be told less for a while. That is harmless: a lease lapses
	// later, and what is sealed or done does not depend on a clock.
	last store.Latest
}

var _ store.Store = (*Store)(nil)

// New returns a store over the tables that [Migrate] makes. It asks the database whether it can serve: the right schema, the
// privileges, a primary that takes writes. The pool stays the caller's: Close does not close it.
func New(ctx context.Context, pool *pgxpool.Pool, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	traits, l, err := inspect(ctx, pool, c.Schema)
	if err != nil {
		return nil, err
	}
	if l.partitioned {
		traits.MaxKept = l.window + l.skew
	}
	return on(pool, c, traits, l), nil
}

// on is a store on tables that were inspected.
func on(pool *pgxpool.Pool, c Config, traits store.Traits, l layout) *Store {
	return &Store{
		pool:    pool,
		config:  c,
		sql:     newStatements(c.Schema, c.clock, l),
		traits:  traits,
		closing: make(chan struct{}),
	}
}

// Traits says what this store can promise with the server's settings as they were when it was opened.
func (s *Store) Traits() store.Traits { return s.traits }

// Close wakes all waiters and ends the store's use of the pool, which stays open. Calls that are under way come to their end.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closing) })
	return nil
}

// over reports why a call must not begin.
func (s *Store) over(ctx context.Context) error {
	select {
	case <-s.closing:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}
