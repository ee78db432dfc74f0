package loopback

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/sidecar"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
	"github.com/onceward/onceward/store/pebblestore"
)

// Proxied is what the sidecar takes beside reverse proxies that keep nothing, in front of the same service. Nginx has no name where there is none.
type Proxied struct{ Tuned, Memory, Durable, Replay, Nginx Timed }

// Timed is a result with the time that 99 of 100 exchanges stayed below, over all counted and uncounted rounds.
type Timed struct {
	rounds.Result

	P99 time.Duration
}

// MeasureProxy measures them in turns. The durable store is in a temporary folder in folder.
func MeasureProxy(folder string, plan rounds.Plan, mint func(n int) []string) (out Proxied, err error) {
	// Callers, proxy and service are three programs in one process. As many threads as processors would let them wait for each other, and who comes back
	// from a sync of the disk most of all.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3 * runtime.NumCPU()))
	service, err := serve()
	if err != nil {
		return out, err
	}
	defer service.close()
	target := &url.URL{Scheme: "http", Host: service.callers[0].conn.RemoteAddr().String()}
	dir, err := os.MkdirTemp(folder, "onceward-bench-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	disk, err := pebblestore.Open(dir, pebblestore.Config{})
	if err != nil {
		return out, err
	}
	var servers [3]*server
	for i, handler := range []func() (http.Handler, func() error, error){
		func() (http.Handler, func() error, error) { return tuned(target), func() error { return nil }, nil },
		func() (http.Handler, func() error, error) {
			return beside(target, memstore.New(memstore.Config{MaxRecords: memstore.NoLimit, MaxBytes: memstore.NoLimit}))
		},
		func() (http.Handler, func() error, error) { return beside(target, disk) },
	} {
		h, end, failed := handler()
		if failed != nil {
			return out, failed
		}
		defer func() { err = errors.Join(err, end()) }()
		if servers[i], err = serve(); err != nil {
			return out, err
		}
		defer servers[i].close()
		servers[i].set(h)
	}
	var fault atomic.Pointer[error]
	var keys []string
	remembered := mint(1000)
	if err := servers[1].callers.send(remembered); err != nil {
		return out, err
	}
	fresh := func(n int) { keys = mint(n) }
	old := func(n int) {
		keys = keys[:0]
		for i := range n {
			keys = append(keys, remembered[i%len(remembered)])
		}
	}
	type taking struct {
		name    string
		callers callers
		prepare func(int)
		into    *Timed
	}
	contenders := []taking{
		{"reverse proxy, tuned", servers[0].callers, fresh, &out.Tuned}, {"new key, memory", servers[1].callers, fresh, &out.Memory},
		{"new key, on the disk", servers[2].callers, fresh, &out.Durable}, {"replay", servers[1].callers, old, &out.Replay},
	}
	address, stop, err := nginx(target)
	switch {
	case err == nil:
		defer stop()
		through, err := dialAll(address, "/orders")
		if err != nil {
			return out, err
		}
		defer through.close()
		contenders = append(contenders, taking{"nginx, tuned", through, fresh, &out.Nginx})
	case !errors.Is(err, ErrNoNginx):
		return out, err
	}
	var all []rounds.Contender
	took := make([][]time.Duration, len(contenders))
	for i, c := range contenders {
		all = append(all, rounds.Contender{Name: c.name, Prepare: c.prepare, Round: func(int) {
			times, err := c.callers.timed(keys)
			took[i] = append(took[i], times...)
			if err != nil {
				fault.CompareAndSwap(nil, &err)
			}
		}})
	}
	results := rounds.Run(plan, all...)
	if p := fault.Load(); p != nil {
		return out, *p
	}
	for i, c := range contenders {
		slices.Sort(took[i])
		*c.into = Timed{results[i], took[i][len(took[i])*99/100]}
	}
	return out, nil
}

// tuned is Go's reverse proxy as it is fast: with as many idle connections as are used, and with buffers that are used again.
func tuned(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite:    func(p *httputil.ProxyRequest) { p.SetURL(target); p.SetXForwarded() },
		Transport:  &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512},
		BufferPool: &buffers{sync.Pool{New: func() any { return new([32 << 10]byte) }}},
	}
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }

// beside is the sidecar over a store, which it closes at its end.
func beside(target *url.URL, s store.Store) (http.Handler, func() error, error) {
	cfg := sidecar.Default()
	cfg.Upstream, cfg.Scope = target.String(), "global"
	p, err := sidecar.New(context.Background(), s, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	return p, func() error { return p.Close(context.Background()) }, nil
}
