package onceward

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/store"
)

// Guard carries out each operation once, in record mode: the record lives in a store, the effect anywhere.
// It is an [Executor]. Safe for concurrent use.
type Guard struct {
	cfg Config
	*core
}

// core is what the guards of one store share: [Guard.With] copies the configuration and keeps the core.
type core struct {
	store   store.Store
	flights flights
	settler settler
	clock   storeClock
	pace    atomic.Int64 // moving average of how long functions run, in nanoseconds
	tokens  tokens
	done    chan struct{}      // closed by Close
	shut    chan struct{}      // closed when the first Close returns
	retire  context.CancelFunc // ends maintenance; called by Close

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // calls of Do
	work   sync.WaitGroup // heartbeats and maintenance
}

// New returns a guard over s, which it owns from here on: Close closes s. A wrong configuration is reported whole.
func New(s store.Store, cfg Config) (*Guard, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if s == nil {
		return nil, &Error{Op: "new", Err: ErrConfig, Hint: "give a store, for example memstore.New(memstore.Config{})"}
	}
	if err := fitsStore(cfg, s.Traits()); err != nil {
		return nil, err
	}
	g := &Guard{cfg: cfg, core: &core{store: s, done: make(chan struct{}), shut: make(chan struct{}), tokens: tokens{rand: cfg.Rand}}}
	g.settler.init(cfg)
	maintaining, retire := context.WithCancel(context.Background())
	g.retire = retire
	if cfg.MaintainEvery != NoMaintenance {
		m := &Maintenance{Purger: s, Every: cfg.MaintainEvery, StoreTimeout: cfg.StoreTimeout, Skew: cfg.Skew, Observer: cfg.Observer}
		g.work.Go(func() { m.Run(maintaining) })
	}
	return g, nil
}

// With returns a guard for a route with settings of its own, on the same store. change gets a copy of this guard's configuration; only
// the fields "per route" may differ. Closing either closes both.
func (g *Guard) With(change func(*Config)) (*Guard, error) {
	cfg := g.cfg
	change(&cfg)
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if err := fitsStore(cfg, g.store.Traits()); err != nil {
		return nil, err
	}
	was := g.cfg
	if cfg.Window != was.Window || cfg.Skew != was.Skew || cfg.UUIDv7Aged != was.UUIDv7Aged ||
		cfg.StoreTimeout != was.StoreTimeout || cfg.SaveLimit != was.SaveLimit || cfg.MaxUnsettled != was.MaxUnsettled || cfg.MaintainEvery != was.MaintainEvery {
		return nil, &Error{Op: "with", Err: ErrConfig, Hint: "a route may change only the fields that Config calls per route"}
	}
	return &Guard{cfg: cfg, core: g.core}, nil
}

// fitsStore reports a reply limit, a window, or a promise that the store cannot keep.
func fitsStore(cfg Config, t store.Traits) error {
	switch {
	case t.MaxReply != 0 && cfg.MaxReply > t.MaxReply:
		return &Error{Op: "new", Err: ErrConfig,
			Hint: fmt.Sprintf("Config.MaxReply = %d: the %s store keeps at most %d bytes", cfg.MaxReply, t.Name, t.MaxReply)}
	case t.MaxKept != 0 && cfg.Window+cfg.Skew > t.MaxKept:
		return &Error{Op: "new", Err: ErrConfig,
			Hint: fmt.Sprintf("Config.Window = %v and Skew = %v: this %s store remembers stamped keys for %v together", cfg.Window, cfg.Skew, t.Name, t.MaxKept)}
	case t.RerunOnly && cfg.OnLapse == MarkUnknown:
		return &Error{Op: "new", Err: ErrConfig,
			Hint: fmt.Sprintf("Config.OnLapse = MarkUnknown: a failover of this %s store may forget a claim, and the operation runs twice; use Rerun, or accept it in the store's configuration", t.Name)}
	}
	return nil
}

// Window is how long a key is remembered after its completion.
func (g *Guard) Window() time.Duration { return g.cfg.Window }

// enter counts a call in, unless the guard is closed.
func (c *core) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return &Error{Op: "do", Err: ErrClosed, Hint: "this server is shutting down; send the same key to another", RetryAfter: time.Second}
	}
	c.calls.Add(1)
	return nil
}

// Close ends the guard: no new claims; the functions that run come to their end; their replies are saved; then
// heartbeats, maintenance and the store end. If ctx ends first, Close stops waiting, closes the store and returns ctx's error: what was
// not saved by then is unknown or lapses. A second Close waits for the first.
func (g *Guard) Close(ctx context.Context) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		select {
		case <-g.shut:
			return nil
		case <-ctx.Done():
			return &Error{Op: "close", Err: context.Cause(ctx), Hint: "another Close is still under way"}
		}
	}
	defer close(g.shut)
	g.closed = true
	close(g.done)
	g.retire()
	g.mu.Unlock()

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.calls.Wait()
		g.settler.wait()
		g.work.Wait()
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = &Error{Op: "close", Err: context.Cause(ctx), Hint: "some functions or saves were still under way; their records are unknown or lapse"}
	}
	if left := g.settler.abandon(); left > 0 {
		g.cfg.Observer.alarm(ctx, AlarmEvent{Alarm: AlarmUnsettled, Err: fmt.Errorf("%d records left as they are at close", left)})
	}
	if cerr := g.store.Close(); err == nil && cerr != nil {
		err = &Error{Op: "close", Err: cerr}
	}
	return err
}

// storeClock estimates the store's clock from its answers.
type storeClock struct{ ahead atomic.Int64 } // milliseconds, at most

// learn takes the store's time out of an answer to a call that was sent at sent.
func (c *storeClock) learn(now store.Time, sent time.Time) {
	if now != 0 {
		c.ahead.Store(int64(now - store.TimeOf(sent)))
	}
}

// at is the store's time at t, or later.
func (c *storeClock) at(t time.Time) store.Time { return store.TimeOf(t) + store.Time(c.ahead.Load()) }

// tokens draws the values that prove claims.
type tokens struct {
	mu   sync.Mutex
	rand io.Reader
}

func (t *tokens) draw() (store.Token, error) {
	var token store.Token
	if t.rand == rand.Reader {
		_, err := rand.Read(token[:]) // the direct call keeps token off the heap
		return token, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	own := make([]byte, len(token))
	_, err := io.ReadFull(t.rand, own)
	return store.Token(own), err
}
