package oncegin_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncegin"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

func init() { gin.SetMode(gin.ReleaseMode) }

var byUser = oncehttp.Principal("orders", func(r *http.Request) (string, error) { return r.Header.Get("X-User"), nil })

// stage is Gin at work on a real socket: an outer observer, gin.Recovery, our middleware, the route's handlers.
type stage struct {
	*httptest.Server
	t       *testing.T
	store   *moody
	runs    atomic.Int64
	begun   chan struct{}
	gate    chan struct{}
	arrived chan *http.Request // as it comes to our middleware
	seen    chan seen          // by the middleware before ours, after the chain
}

// seen is what outer middleware, a logger for instance, finds.
type seen struct {
	status  int
	size    int
	aborted bool
	errors  int
	note    any // what a handler has left in the context
	same    bool
}

func open(t *testing.T, handlers ...gin.HandlerFunc) *stage {
	t.Helper()
	st := &moody{Store: memstore.New(memstore.Config{})}
	guard, err := onceward.New(st, onceward.Config{Wait: 10 * time.Second, SaveLimit: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s := openWith(t, guard, handlers...)
	s.store = st
	t.Cleanup(func() { st.down.Store(false) })
	return s
}

func openWith(t *testing.T, exec onceward.Executor, handlers ...gin.HandlerFunc) *stage {
	t.Helper()
	once, err := oncegin.Middleware(exec, byUser, oncehttp.Config{KeyOptional: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, begun: make(chan struct{}, 100), gate: make(chan struct{}), arrived: make(chan *http.Request, 100), seen: make(chan seen, 100)}
	e := gin.New()
	e.Use(s.observe, gin.RecoveryWithWriter(io.Discard), func(c *gin.Context) { s.arrived <- c.Request }, once, func(*gin.Context) { s.runs.Add(1) })
	e.POST("/orders", append(handlers, s.order)...)
	e.POST("/stream", s.stream)
	e.GET("/orders", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	s.Server = httptest.NewServer(e)
	t.Cleanup(s.Close)
	return s
}

func (s *stage) observe(c *gin.Context) {
	w, r := c.Writer, c.Request
	defer func() {
		note, _ := c.Get("note")
		s.seen <- seen{c.Writer.Status(), c.Writer.Size(), c.IsAborted(), len(c.Errors), note, c.Writer == w && c.Request == r}
	}()
	c.Next()
}

// order is a handler that does what the body says.
func (s *stage) order(c *gin.Context) {
	var wish struct{ Item, Do string }
	if err := c.ShouldBindJSON(&wish); err != nil {
		c.AbortWithStatusJSON(http.StatusBadRequest, gin.H{"error": "not a wish"})
		return
	}
	c.Set("note", "taken")
	switch wish.Do {
	case "panic":
		panic("the till is broken")
	case "log in":
		c.AbortWithStatusJSON(http.StatusUnauthorized, gin.H{"error": "who are you?"})
		return
	case "sold out":
		c.AbortWithStatusJSON(http.StatusNotFound, gin.H{"error": "sold out"})
		return
	case "status only":
		c.Status(http.StatusAccepted)
		return
	case "error only":
		_ = c.Error(errors.New("nobody answers"))
		return
	case "wait":
		s.begun <- struct{}{}
		<-s.gate
		if err := c.Request.Context().Err(); err != nil {
			c.AbortWithStatusJSON(http.StatusInternalServerError, gin.H{"error": err.Error()})
			return
		}
	}
	c.Header("Location", "/orders/1")
	c.JSON(http.StatusCreated, gin.H{"id": s.runs.Load(), "item": wish.Item})
}

// stream sends its second line when the gate opens.
func (s *stage) stream(c *gin.Context) {
	n := 0
	c.Stream(func(w io.Writer) bool {
		switch n++; n {
		case 1:
			_, _ = io.WriteString(w, "one\n")
			return true
		case 2:
			s.begun <- struct{}{}
			<-s.gate
			_, _ = io.WriteString(w, "two\n")
		}
		return false
	})
}

// moody is a store that completes no record while it is down.
type moody struct {
	store.Store
	down atomic.Bool
}

func (m *moody) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if q.Op == store.OpComplete && m.down.Load() {
		return store.Answer{}, errors.New("down")
	}
	return m.Store.Advance(ctx, q)
}

// answer is a reply read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func (a answer) replayed() bool { return a.header.Get(oncehttp.HeaderReplayed) == "true" }

func (s *stage) request(path, key, body string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-User", "alice")
	if key != "" {
		r.Header.Set(oncehttp.HeaderKey, key)
	}
	return r
}

func send(r *http.Request) answer {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err}
}

func (s *stage) post(key, body string) answer {
	s.t.Helper()
	return send(s.request("/orders", key, body))
}

// openStream reads the first line of a stream; rest reads to its end.
func (s *stage) openStream() (line string, rest func() (string, error)) {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(s.request("/stream", "k", "{}"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewReader(resp.Body)
	if line, err = lines.ReadString('\n'); err != nil {
		s.t.Fatal(err)
	}
	<-s.begun
	return line, func() (string, error) {
		text, err := io.ReadAll(lines)
		return string(text), err
	}
}

// want holds a to status and, if it is a problem, to its name.
func want(t *testing.T, what string, a answer, status int, problem string) {
	t.Helper()
	is := strings.HasPrefix(a.header.Get("Content-Type"), oncehttp.ProblemType)
	if a.err != nil || a.status != status || is != (problem != "") || !strings.Contains(a.body, problem) {
		t.Fatalf("%s: got %d %q %v; want %d %s", what, a.status, a.body, a.err, status, problem)
	}
}

func (s *stage) wantRuns(n int64) {
	s.t.Helper()
	if got := s.runs.Load(); got != n {
		s.t.Errorf("the handlers ran %d times, want %d", got, n)
	}
}

func (s *stage) wantSeen(what string, want seen) {
	s.t.Helper()
	want.same = true
	if got := <-s.seen; got != want {
		s.t.Errorf("%s: the middleware before ours sees %+v, want %+v", what, got, want)
	}
}
