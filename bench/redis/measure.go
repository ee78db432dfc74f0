package redis

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// Run is what so many callers at a time took.
type Run struct {
	Callers                              int
	Durable                              bool // each write is synced
	Bare, Once, Hand, HandGo, Get, Again rounds.Result
}

// Result is a whole measurement.
type Result struct {
	Settings string
	Runs     []Run
	Memory   Memory
}

// Callers are how many there are at a time.
var Callers = []int{1, 64}

var reply = bytes.Repeat([]byte("r"), 1024)

// Measure starts servers, one that keeps nothing and one that syncs each write, and measures. Ops is for one caller; more callers do it eight times as often.
func Measure(ctx context.Context, plan rounds.Plan, keys int) (r Result, err error) {
	for _, durable := range []bool{false, true} {
		if err := r.measure(ctx, plan, durable); err != nil {
			return r, err
		}
	}
	r.Memory, err = measureMemory(ctx, keys)
	return r, err
}

func (r *Result) measure(ctx context.Context, plan rounds.Plan, durable bool) (err error) {
	server, err := redistest.Start(ctx, redistest.Config{Durable: durable})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	r.Settings = "Redis " + version(server) + ", on the same processors"
	b, err := open(ctx, server)
	if err != nil {
		return err
	}
	defer b.close()
	for _, callers := range Callers {
		p := plan
		if callers > 1 {
			p.Ops *= 8
		} else if durable {
			continue // the disk alone is measured
		}
		run := b.run(ctx, callers, p)
		run.Durable = durable
		r.Runs = append(r.Runs, run)
	}
	if p := b.fault.Load(); p != nil {
		return *p
	}
	return nil
}

func version(s *redistest.Server) string {
	info, err := s.Talk("INFO", "server")
	text, _ := info.(string)
	_, text, ok := strings.Cut(text, "redis_version:")
	if err != nil || !ok {
		return "?"
	}
	return strings.Fields(text)[0]
}

// bench is a server with the ways to work on it.
type bench struct {
	server *redistest.Server
	store  *redisstore.Store
	client rueidis.Client // as the store's
	hand   rueidis.Client // as people have it
	byGo   *goredis.Client
	pair   pair
	first  store.Identity
	fault  atomic.Pointer[error]
	orders []order
}

// order is one operation.
type order struct {
	who   store.Identity
	token store.Token
	bare  pair
	key   string
}

func open(ctx context.Context, server *redistest.Server) (*bench, error) {
	b := &bench{server: server, first: identity()}
	ear := &listener{}
	overheard, err := redisstore.New(ctx, rueidis.ClientOption{InitAddress: []string{server.Address()}, DialCtxFn: ear.dial}, redisstore.Config{})
	if err != nil {
		return nil, err
	}
	defer overheard.Close()
	token := tokenOf()
	for range 2 { // the first time the scripts themselves are sent
		b.first, token = identity(), tokenOf()
		if err := once(ctx, overheard, b.first, token); err != nil {
			return nil, err
		}
	}
	if b.pair, err = ear.overhear(); err != nil {
		return nil, err
	}
	b.pair = b.pair.of(b.first, b.first, token, store.Token{}) // its own token is not needed
	if b.store, err = redisstore.New(ctx, rueidis.ClientOption{InitAddress: []string{server.Address()}}, redisstore.Config{}); err != nil {
		return nil, err
	}
	o := rueidis.ClientOption{InitAddress: []string{server.Address()}, DisableCache: true, DisableRetry: true, PipelineMultiplex: -1} // one connection, as the store has
	if b.hand, err = rueidis.NewClient(o); err != nil {
		return nil, err
	}
	o.MaxFlushDelay = 20 * time.Microsecond // as the store has, too
	b.client, err = rueidis.NewClient(o)
	b.byGo = goredis.NewClient(&goredis.Options{Addr: server.Address(), PoolSize: 64})
	return b, err
}

func (b *bench) close() {
	_ = b.store.Close()
	b.client.Close()
	b.hand.Close()
	_ = b.byGo.Close()
}

func identity() store.Identity {
	key := rand.Text()
	return store.Identity{ID: sha256.Sum256([]byte(key)), Service: "orders", Principal: "customer", Key: key, Stamp: store.TimeOf(time.Now())}
}

func tokenOf() (t store.Token) {
	_, _ = rand.Read(t[:]) // it never fails
	return t
}

// once is a new operation: claimed, and completed with its reply.
func once(ctx context.Context, s store.Store, who store.Identity, t store.Token) error {
	a, err := s.Claim(ctx, store.ClaimRequest{
		Identity: who, Token: t, Fingerprints: prints, Start: true, Lease: 30 * time.Second, Window: day, Guard: 5 * time.Minute,
	})
	if err != nil || a.Verdict != store.Granted {
		return fmt.Errorf("a new operation was %v: %w", a.Verdict, err)
	}
	a, err = s.Advance(ctx, store.AdvanceRequest{
		Identity: who, Token: t, Op: store.OpComplete, End: store.EndReply, Reply: reply, Window: day, Guard: 5 * time.Minute,
	})
	if err != nil || a.Verdict != store.Applied {
		return fmt.Errorf("its completion was %v: %w", a.Verdict, err)
	}
	return nil
}

var prints = []store.Fingerprint{{Version: 1, Sum: sha256.Sum256([]byte("pay 5"))}}

func again(ctx context.Context, s store.Store, who store.Identity, t store.Token) error {
	a, err := s.Claim(ctx, store.ClaimRequest{
		Identity: who, Token: t, Fingerprints: prints, Start: true, Lease: 30 * time.Second, Window: day, Guard: 5 * time.Minute,
	})
	if err != nil || a.Verdict != store.Replay || len(a.Record.Reply) != len(reply) {
		return fmt.Errorf("a repeated operation was %v: %w", a.Verdict, err)
	}
	return nil
}

// prepare draws operations, on an empty server: what a round leaves behind would slow down the next one.
func (b *bench) prepare(n int, bare bool) {
	b.orders = b.orders[:0]
	for range n {
		o := order{who: identity(), token: tokenOf()}
		o.key = o.who.Key
		if bare {
			o.bare = b.pair.of(b.first, o.who, store.Token{}, o.token)
		}
		b.orders = append(b.orders, o)
	}
}

func (b *bench) note(err error) {
	if err != nil {
		b.fault.CompareAndSwap(nil, &err)
	}
}

func (b *bench) run(ctx context.Context, callers int, plan rounds.Plan) Run {
	contender := func(name string, do func(context.Context, order) error) rounds.Contender {
		prepare := func(n int) { b.prepare(n, strings.HasPrefix(name, "the same two")) }
		return rounds.Contender{Name: name, Prepare: prepare, Round: func(int) { b.all(ctx, callers, do) }}
	}
	r := rounds.Run(plan,
		contender("the same two commands, bare", func(ctx context.Context, o order) error { return o.bare.send(ctx, b.client) }),
		contender("a new operation", func(ctx context.Context, o order) error { return once(ctx, b.store, o.who, o.token) }),
		contender("look, lock, save, unlock by rueidis", func(ctx context.Context, o order) error { return byHand(ctx, b.hand, o.key, reply) }),
		contender("the same by go-redis", func(ctx context.Context, o order) error { return byHandGo(ctx, b.byGo, o.key, reply) }),
	)
	b.prepare(plan.Ops, false)
	kept := append([]order(nil), b.orders...)
	b.all(ctx, callers, func(ctx context.Context, o order) error {
		return errors.Join(once(ctx, b.store, o.who, o.token), b.client.Do(ctx, b.client.B().Set().Key(o.key).Value(string(reply)).Px(day).Build()).Error())
	})
	repeat := func(name string, do func(context.Context, order) error) rounds.Contender {
		return rounds.Contender{Name: name, Prepare: func(int) { b.orders = kept }, Round: func(int) { b.all(ctx, callers, do) }}
	}
	g := rounds.Run(plan,
		repeat("a bare GET", func(ctx context.Context, o order) error {
			got, err := b.client.Do(ctx, b.client.B().Get().Key(o.key).Build()).AsBytes()
			if err == nil && len(got) != len(reply) {
				err = errors.New("not the reply")
			}
			return err
		}),
		repeat("a replay", func(ctx context.Context, o order) error { return again(ctx, b.store, o.who, tokenOf()) }),
	)
	b.orders = nil
	return Run{Callers: callers, Bare: r[0], Once: r[1], Hand: r[2], HandGo: r[3], Get: g[0], Again: g[1]}
}

// all does the orders, shared out among the callers. Each has a context with an end, as a request has one.
func (b *bench) all(ctx context.Context, callers int, do func(context.Context, order) error) {
	rounds.Share(callers, len(b.orders), func(i int) {
		request, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		b.note(do(request, b.orders[i]))
	})
}
