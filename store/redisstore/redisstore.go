package redisstore

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// Store is a [store.Store] in Redis. It is safe for concurrent use; make one with [Open] or [New].
type Store struct {
	client            rueidis.Client
	config            Config
	scripts           scripts
	traits            store.Traits
	cluster, sentinel bool
	turn              atomic.Int64 // at which shard the next Purge begins
	*layout

	clocks

	untried     untried
	recent      recent // operations that this process has seen to be done
	connections connections
	checked     atomic.Int64  // how many connections had been made when the server was last looked at
	checking    chan struct{} // has a place for whoever looks

	closing chan struct{}
	once    sync.Once
	waiting
}

var _ store.Store = (*Store)(nil)

// New connects as the options say, and asks the server whether it can serve: it takes writes, never evicts, and has the user's privileges. What the options
// say of re-sends, caching and time limits is overwritten: a step is sent once, and [Config.Timeout] bounds it.
func New(ctx context.Context, o rueidis.ClientOption, c Config) (*Store, error) {
	s, err := connect(o, c)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		s.client.Close()
		return nil, failed("open", err)
	}
	return s, nil
}

func connect(o rueidis.ClientOption, c Config) (*Store, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	s := &Store{config: c, scripts: newScripts(c.movable), checking: make(chan struct{}, 1), closing: make(chan struct{})}
	s.waiting.init(s)
	client, err := rueidis.NewClient(s.options(o))
	if err != nil {
		return nil, failed("open", err)
	}
	s.client, s.sentinel = client, o.Sentinel.MasterSet != ""
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*s.config.Timeout) // several calls
	defer cancel()
	s.checked.Store(s.connections.made.Load())
	facts, err := s.inspect(ctx)
	if err != nil {
		return err
	}
	facts.sentinel = s.sentinel
	s.cluster, s.traits = facts.cluster, facts.traits(s.config)
	s.traits.RerunOnly = (s.cluster || s.sentinel) && !s.config.AllowLossyFailover
	s.layout, err = s.layOut(ctx)
	if err != nil {
		return err
	}
	s.shards, s.one = make([]store.Latest, len(s.tags)), !s.cluster
	return s.probe(ctx)
}

// options are the caller's, without what would send a command twice behind our back, and with a count of connections.
func (s *Store) options(o rueidis.ClientOption) rueidis.ClientOption {
	o.DisableRetry = true
	o.DisableCache = true
	o.ClientSetInfo = rueidis.DisableClientSetInfo // which Redis 7.0 does not know
	o.ReplicaOnly, o.SendToReplicas = false, nil   // G1
	o.ConnWriteTimeout = s.config.Timeout
	o.Dialer.Timeout = s.config.Timeout
	o.Dialer.KeepAlive = s.config.Timeout // how often an idle connection is probed
	o.PipelineMultiplex = -1              // one connection to a server: its steps share packets, and none is made in the middle of work
	o.MaxFlushDelay = flushDelay
	dial := o.DialCtxFn
	o.DialCtxFn = func(ctx context.Context, address string, d *net.Dialer, secure *tlsConfig) (conn net.Conn, err error) {
		if dial != nil {
			conn, err = dial(ctx, address, d, secure)
		} else {
			conn, err = s.connections.dial(ctx, address, d, secure)
		}
		if err != nil {
			return nil, err
		}
		return s.connections.watch(conn), nil
	}
	return o
}

// flushDelay is for how long the driver gathers the steps of several callers before it writes them: a step costs it less, and a caller who is alone waits for nobody.
const flushDelay = 20 * time.Microsecond

// Traits says what this store can promise with the server's settings as they were when it was opened.
func (s *Store) Traits() store.Traits { return s.traits }

// Close wakes all waiters and closes the connections.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		s.waiting.end()
		s.client.Close()
	})
	return nil
}

// ready reports why a call must not begin. After a new connection it looks at the server again: it may be another one, or the same with other settings.
func (s *Store) ready(ctx context.Context) error {
	select {
	case <-s.closing:
		return store.ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.connections.made.Load() != s.checked.Load() {
		return s.recheck(ctx)
	}
	return nil
}

// jittered is a duration of half of d to d.
func jittered(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1)) //nolint:gosec // it spreads callers
}
