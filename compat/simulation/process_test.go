package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// process is one life of a server. All that leaves it or comes to it goes through its gate: while it is stalled nothing
// does, and when it is dead nothing will. Its goroutines may run on a little after its death, as goroutines cannot be killed; they reach nobody.
type process struct {
	w     *world
	slot  int
	name  string
	dead  chan struct{}
	link  *link
	guard *onceward.Guard
	http  *http.Server
	in    *listener

	mu      sync.Mutex
	conns   []*conn
	stalled time.Duration // until when
	closing bool
}

var errDead = errors.New("this process is dead")

// The routes of a server. Each has a guard of its own over the same records.
var routes = []string{"mark", "start", "rerun", "child"}

// boot starts a life of the server in a slot.
func (w *world) boot(slot, life int) *process {
	p := &process{w: w, slot: slot, name: fmt.Sprintf("s%d.%d", slot, life), dead: make(chan struct{}), in: newListener()}
	p.link = &link{p: p, calls: map[string]int{}, claims: map[string]int{}}
	r := w.roll("boot " + p.name)
	base, err := onceward.New(p.link, onceward.Config{
		Window: w.windowNow(), Skew: skew, Lease: 15 * time.Second, StoreTimeout: 8 * beat, SaveLimit: 20*beat + offBeat, Wait: 6*beat + offBeat, HandlerLimit: time.Minute + offBeat,
		MaxReply: 2048, MaintainEvery: 11 * time.Minute, Rand: rand.NewChaCha8([32]byte{byte(slot), byte(life), byte(r.Uint32()), byte(r.Uint32())}),
	})
	w.must(err)
	p.guard = base
	who := func(r *http.Request) (onceward.Scope, error) { return p.scope(r.Header.Get("Principal")), nil }
	mux := http.NewServeMux()
	for _, route := range routes {
		guard, err := base.With(func(c *onceward.Config) {
			c.ExplicitStart = route == "start"
			if route == "rerun" || route == "child" || route == "mark" && w.configured(slot, life) {
				c.OnLapse = onceward.Rerun
			}
		})
		w.must(err)
		cfg := oncehttp.Config{}
		var exec onceward.Executor = guard
		if w.broken.server != nil {
			exec = w.broken.server(w, exec, &cfg)
		}
		once, err := oncehttp.Middleware(exec, who, cfg)
		w.must(err)
		mux.Handle("POST /"+route, keepContext(once(p.handler(route))))
	}
	p.http = &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = p.http.Serve(p.in) }()
	w.note("", "%s starts, window %v", p.name, w.windowNow())
	return p
}

func (p *process) scope(principal string) onceward.Scope {
	if p.w.broken.onePrincipal {
		principal = "everybody"
	}
	return onceward.Scope{Service: service, Principal: principal}
}

type contextKey struct{}

// keepContext keeps the client's own context where broken guards can find it.
func keepContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, r.Context())))
	})
}

func (p *process) accept(c *conn) {
	p.mu.Lock()
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	p.in.in <- c
}

// stopped says whether the process takes no connections any more.
func (p *process) stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closing || p.isDead()
}

func (p *process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// awake is when the process goes on, or went on, after its last stall.
func (p *process) awake() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stalled
}

// stall stops everything for a while: a garbage collection, a frozen virtual machine, a partition.
func (p *process) stall(d time.Duration) {
	if p.stopped() {
		return
	}
	p.mu.Lock()
	p.stalled = max(p.stalled, p.w.now()+d.Truncate(beat))
	p.mu.Unlock()
	p.w.saw("server: stalls")
	p.w.note("", "%s stalls for %v", p.name, d)
}

// sleepWhileStalled is what a goroutine does before it reaches for anybody else.
func (p *process) sleepWhileStalled(ctx context.Context) error {
	for {
		left := p.awake() - p.w.now()
		if p.isDead() {
			return errDead
		}
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-p.dead:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// awakens lets do happen in this process: not while it is stalled, and never if it has died.
func (p *process) awakens(beats int, label string, do func()) {
	var try func()
	try = func() {
		switch {
		case p.isDead():
		case p.awake() > p.w.now():
			p.w.at(p.awake(), label, try)
		default:
			do()
		}
	}
	p.w.after(beats, label, try)
}

// die ends the process at once. Its connections are reset, or, as when the power fails, just silent.
func (p *process) die(silently bool) {
	if p.isDead() {
		return
	}
	close(p.dead)
	p.w.note("", "%s is dead", p.name)
	if !silently {
		p.mu.Lock()
		conns := p.conns
		p.mu.Unlock()
		for _, c := range conns {
			p.w.after(1, "killed "+c.label, func() { c.other.arrives(nil, errReset) })
		}
	}
	go func() { // what is left of it comes to its end
		_ = p.http.Close()
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.guard.Close(gone)
	}()
}

// close lets the process end in good order, and ends it when its time is up.
func (p *process) close() {
	if p.stopped() {
		return
	}
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.w.saw("server: closes")
	p.w.note("", "%s closes", p.name)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 40*beat)
		defer cancel()
		_ = p.http.Shutdown(ctx)
		_ = p.guard.Close(ctx)
	}()
	p.w.after(42, "end of "+p.name, func() { p.die(false) })
}
