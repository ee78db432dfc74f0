package oncehttp_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// peer is one server on a store that it may share.
type peer struct {
	*served
	table store.Store
	left  chan struct{} // a request's context has ended: its client hung up, or it has been answered
}

// startPeer starts a server; with a nil listener on a real socket.
func startPeer(t *testing.T, table store.Store, l *pipes, gcfg onceward.Config, cfg oncehttp.Config, h http.HandlerFunc) *peer {
	t.Helper()
	guard, err := onceward.New(table, gcfg)
	if err != nil {
		t.Fatal(err)
	}
	once, err := oncehttp.Middleware(guard, byUser, cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{served: &served{t: t, guard: guard}, table: table, left: make(chan struct{}, 1000)}
	guarded := once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.runs.Add(1)
		h(w, r)
	}))
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), func() { p.left <- struct{}{} })
		guarded.ServeHTTP(w, r)
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0) // panics are part of the tests
	if l != nil {
		p.Listener.Close()
		p.Listener = l
	}
	p.Start()
	if l != nil {
		p.Client().Transport.(*http.Transport).DialContext = l.dial
	}
	t.Cleanup(func() {
		p.Close()
		if err := guard.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// onSocket is a server of its own on a real socket.
func onSocket(t *testing.T, gcfg onceward.Config, cfg oncehttp.Config, h http.HandlerFunc) *peer {
	t.Helper()
	return startPeer(t, memstore.New(memstore.Config{}), nil, gcfg, cfg, h)
}

// inBubble is a server on pipes, for tests in which time matters.
func inBubble(t *testing.T, table store.Store, gcfg onceward.Config, h http.HandlerFunc) *peer {
	t.Helper()
	return startPeer(t, table, newPipes(), gcfg, oncehttp.Config{}, h)
}

// hangUp sends a request whose client goes away once running is closed, and returns when the server has noticed.
func (p *peer) hangUp(key, body string, running <-chan struct{}) {
	p.t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	gone := make(chan error, 1)
	go func() {
		resp, err := p.Client().Do(p.request(key, body, nil).WithContext(ctx))
		if err == nil {
			resp.Body.Close()
		}
		gone <- err
	}()
	<-running
	leave()
	if err := <-gone; err == nil {
		p.t.Error("the client did not hang up")
	}
	<-p.left
}

// later sends a request in a goroutine.
func (p *peer) later(key, body string) <-chan answer {
	req := p.request(key, body, nil)
	got := make(chan answer, 1)
	go func() {
		defer close(got)
		resp, err := p.Client().Do(req)
		if err != nil {
			p.t.Error(err)
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			p.t.Error(err)
		}
		got <- answer{resp, string(text)}
	}()
	return got
}

func (p *peer) wantRuns(want int64) {
	p.t.Helper()
	if got := p.runs.Load(); got != want {
		p.t.Errorf("%d runs, want %d", got, want)
	}
}

func wantReply(t *testing.T, a answer, status int, body string, replayed bool) {
	t.Helper()
	if a.Response == nil || a.StatusCode != status || a.body != body || (a.Header.Get(oncehttp.HeaderReplayed) == "true") != replayed {
		t.Errorf("got %+v, want %d %q replayed=%v", a, status, body, replayed)
	}
}

// pipes is a network in memory: what waits on it does not hold up a synctest bubble's clock.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), ended: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.ended:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "server.test:80" }

// shaky is a store that meets each call as the test says.
type shaky struct {
	store.Store
	meet atomic.Pointer[func(ctx context.Context, op string) error]
}

var errWire = errors.New("the connection broke")

func newShaky() *shaky { return &shaky{Store: memstore.New(memstore.Config{})} }

// fail makes calls of these kinds fail before they are carried out; none: all is well.
func (s *shaky) fail(with error, ops ...string) {
	s.on(func(context.Context) error { return with }, ops...)
}

// hang makes calls of these kinds hang until their context ends.
func (s *shaky) hang(ops ...string) {
	s.on(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, ops...)
}

func (s *shaky) heal() { s.fail(nil) }

func (s *shaky) on(do func(context.Context) error, ops ...string) {
	meet := func(ctx context.Context, op string) error {
		for _, o := range ops {
			if o == op {
				return do(ctx)
			}
		}
		return nil
	}
	s.meet.Store(&meet)
}

func (s *shaky) met(ctx context.Context, op string) error {
	if meet := s.meet.Load(); meet != nil {
		return (*meet)(ctx, op)
	}
	return nil
}

func (s *shaky) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if err := s.met(ctx, "claim"); err != nil {
		return store.Answer{}, err
	}
	return s.Store.Claim(ctx, q)
}

func (s *shaky) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := s.met(ctx, q.Op.String()); err != nil {
		return store.Answer{}, err
	}
	return s.Store.Advance(ctx, q)
}

// movedClock is a store's clock that a test moves on.
type movedClock struct{ ahead atomic.Int64 }

func (c *movedClock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *movedClock) move(by time.Duration) { c.ahead.Add(int64(by)) }
