package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/onceward/onceward/store"
)

// link is a server's connection to the store: every call goes over a network that fails, and is carried out by the store at a moment of
// its own, whatever has become of the caller.
type link struct {
	p *process

	mu      sync.Mutex
	calls   map[string]int
	claims  map[string]int // claims of an operation that may still tell this server that it owns the record
	stopped bool
}

var _ store.Store = (*link)(nil)

var errUnreachable = errors.New("the store is unreachable")

// What happens to a call, per mille.
var mishaps = []option{
	{"refused", 50},    // nothing is carried out, and the caller learns it
	{"reply lost", 50}, // carried out; the caller learns of an error
	{"hangs", 30},      // nothing is carried out, the caller waits for its timeout
	{"late", 40},       // carried out after the caller has given up
	{"twice", 30},      // a second copy arrives later
}

type answered[A any] struct {
	answer A
	err    error
}

// ask carries one call to the store and its answer back.
func ask[A any](ctx context.Context, l *link, op, about string, carryOut func() (A, error)) (A, error) {
	var none A
	p, w := l.p, l.p.w
	l.mu.Lock()
	what := p.name + " " + op + " " + about
	l.calls[what]++
	label := fmt.Sprint(what, " ", l.calls[what])
	stopped := l.stopped
	l.mu.Unlock()
	if stopped {
		return none, store.ErrClosed
	}
	switch err := p.sleepWhileStalled(ctx); {
	case errors.Is(err, errDead):
		return none, store.ErrClosed
	case err != nil:
		return none, err
	}
	r := w.roll(label)
	mishap, there := "", 1
	if w.unlucky(r, w.storeWeather) {
		mishap = weighted(r, mishaps)
	}
	if w.stormy() && r.IntN(10) == 0 {
		there += r.IntN(6)
	}
	if mishap != "" {
		w.saw("store: " + mishap)
		w.note(about, "%s: %s %s", p.name, op, mishap)
	}
	back := make(chan answered[A], 1)
	reply := func(a answered[A]) {
		p.awakens(wayBack(r), label+" answer", func() { back <- a })
	}
	switch mishap {
	case "hangs":
	case "refused":
		reply(answered[A]{err: errUnreachable})
	case "late":
		w.after(10+r.IntN(100), label, func() { _, _ = carryOut() })
	default:
		w.after(there, label, func() {
			a, err := carryOut()
			if mishap == "twice" {
				w.after(1+r.IntN(60), label+" again", func() { _, _ = carryOut() })
			}
			if mishap == "reply lost" {
				a, err = none, errUnreachable
			}
			reply(answered[A]{a, err})
		})
	}
	select {
	case a := <-back:
		return a.answer, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-p.dead:
		return none, store.ErrClosed
	}
}

func wayBack(r *rand.Rand) int {
	if r.IntN(10) == 0 {
		return 1 + r.IntN(4)
	}
	return 1
}

func (l *link) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	about := name(q.Principal, q.Key)
	l.claiming(about, 1)
	defer l.claiming(about, -1)
	return ask(ctx, l, "claim", about, func() (store.Answer, error) {
		a, err := l.p.w.store.Claim(context.Background(), q)
		l.p.w.oracle.claimed(l.p, about, q, a, err)
		return a, err
	})
}

func (l *link) claiming(about string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims[about] += n
}

func (l *link) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	about := name(q.Principal, q.Key)
	if wrong := l.p.w.broken.advance; wrong != nil {
		if a, err, done := wrong(ctx, l, q); done {
			return a, err
		}
	}
	return ask(ctx, l, q.Op.String(), about, func() (store.Answer, error) { return l.advance(about, q) })
}

// advance is the step at the store.
func (l *link) advance(about string, q store.AdvanceRequest) (store.Answer, error) {
	a, err := l.p.w.store.Advance(context.Background(), q)
	l.p.w.oracle.advanced(l.p, about, q, a, err)
	return a, err
}

func (l *link) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	about := name(q.Principal, q.Key)
	return ask(ctx, l, q.Decision.String(), about, func() (store.Answer, error) {
		a, err := l.p.w.store.Decide(context.Background(), q)
		l.p.w.oracle.decided(about, q, a, err)
		return a, err
	})
}

// Wait is the store's notification where it arrives, and only the caller's patience where it does not.
func (l *link) Wait(ctx context.Context, who store.Identity, version uint64) error {
	l.mu.Lock()
	what := l.p.name + " wait " + name(who.Principal, who.Key)
	l.calls[what]++
	r := l.p.w.roll(fmt.Sprint(what, " ", l.calls[what]))
	l.mu.Unlock()
	if r.IntN(2) == 0 {
		return l.p.w.store.Wait(ctx, who, version)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.p.dead:
		return store.ErrClosed
	}
}

func (l *link) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	return ask(ctx, l, "get", name(who.Principal, who.Key), func() (store.Answer, error) {
		return l.p.w.store.Get(context.Background(), who)
	})
}

func (l *link) List(ctx context.Context, q store.ListRequest) (store.Page, error) {
	return ask(ctx, l, "list", q.Class.String(), func() (store.Page, error) { return l.p.w.store.List(context.Background(), q) })
}

func (l *link) Trail(ctx context.Context, q store.TrailRequest) (store.TrailPage, error) {
	return ask(ctx, l, "trail", "", func() (store.TrailPage, error) { return l.p.w.store.Trail(context.Background(), q) })
}

func (l *link) Seal(ctx context.Context, service string, until store.Time) (store.Time, error) {
	return ask(ctx, l, "seal", service, func() (store.Time, error) { return l.p.w.store.Seal(context.Background(), service, until) })
}

func (l *link) Purge(ctx context.Context, q store.PurgeRequest) (store.PurgeResult, error) {
	return ask(ctx, l, "purge", "", func() (store.PurgeResult, error) {
		res, err := l.p.w.store.Purge(context.Background(), q)
		l.p.w.oracle.purged(res, err)
		return res, err
	})
}

func (l *link) Stats(ctx context.Context, service string) (store.Stats, error) {
	return ask(ctx, l, "stats", "", func() (store.Stats, error) { return l.p.w.store.Stats(context.Background(), service) })
}

// Traits are those of a store that all servers share and that outlives them.
func (l *link) Traits() store.Traits {
	t := l.p.w.store.Traits()
	t.Shared, t.Survives, t.Caveats = true, store.SurvivesPowerLoss, nil
	return t
}

// Close ends this server's connection, not the store.
func (l *link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	return nil
}
