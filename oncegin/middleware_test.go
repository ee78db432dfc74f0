package oncegin_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncegin"
	"github.com/onceward/onceward/oncehttp"
)

const tea = `{"item":"tea"}`

func TestReplays(t *testing.T) {
	s := open(t)
	first := s.post("k", tea)
	s.wantSeen("first", seen{status: 201, size: len(first.body), note: "taken"})
	again := s.post(`"k"`, tea)
	s.wantSeen("again", seen{status: 201, size: len(first.body), aborted: true})
	want(t, "first", first, http.StatusCreated, "")
	want(t, "again", again, http.StatusCreated, "")
	if first.replayed() || !again.replayed() || first.body != `{"id":1,"item":"tea"}` || again.body != first.body {
		t.Errorf("first %q %v, again %q %v", first.body, first.header, again.body, again.header)
	}
	for _, name := range []string{"Location", "Content-Type"} {
		if v := again.header.Get(name); v == "" || v != first.header.Get(name) {
			t.Errorf("%s: %q, first %q", name, v, first.header.Get(name))
		}
	}
	s.wantRuns(1)
}

func TestRefusesOtherBody(t *testing.T) {
	s := open(t)
	first := s.post("k", tea)
	want(t, "first", first, http.StatusCreated, "")
	<-s.seen
	other := s.post("k", `{"item":"coffee"}`)
	want(t, "other body", other, http.StatusUnprocessableEntity, "key-reused")
	s.wantSeen("other body", seen{status: 422, size: len(other.body), aborted: true})
	s.wantRuns(1)
}

func TestDuplicatesRunOnce(t *testing.T) {
	s := open(t)
	const copies = 20
	answers := make(chan answer, copies)
	for range copies {
		go func() { answers <- s.post("k", `{"item":"tea","do":"wait"}`) }()
	}
	for range copies {
		<-s.arrived
	}
	<-s.begun
	close(s.gate)
	for range copies {
		a := <-answers
		want(t, "a copy", a, http.StatusCreated, "")
		if a.body != `{"id":1,"item":"tea"}` {
			t.Errorf("a copy got %q", a.body)
		}
	}
	s.wantRuns(1)
}

// Abort ends the chain and not the reply: a 404 is saved, a 401 frees the key.
func TestAbortedChains(t *testing.T) {
	s := open(t, func(c *gin.Context) {
		if c.GetHeader("X-Stop") != "" {
			c.AbortWithStatus(http.StatusForbidden)
		}
	})
	for n := range 2 {
		want(t, "sold out", s.post("sold-out", `{"do":"sold out"}`), http.StatusNotFound, "")
		if got := <-s.seen; got.status != 404 || !got.aborted {
			t.Errorf("send %d: seen %+v", n, got)
		}
	}
	s.wantRuns(1)
	for range 2 {
		a := s.post("log-in", `{"do":"log in"}`)
		want(t, "log in", a, http.StatusUnauthorized, "")
		if a.replayed() || a.header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeFreed {
			t.Errorf("log in: %v", a.header)
		}
	}
	s.wantRuns(3)
	r := s.request("/orders", "stop", tea)
	r.Header.Set("X-Stop", "1")
	if a := send(r); a.status != http.StatusForbidden || a.body != "" {
		t.Errorf("stopped: %d %q", a.status, a.body)
	}
}

// A status without a body is a reply, and errors without an answer are not a success.
func TestStatusWithoutBody(t *testing.T) {
	s := open(t)
	for _, aborted := range []bool{false, true} {
		want(t, "status only", s.post("status", `{"do":"status only"}`), http.StatusAccepted, "")
		got := <-s.seen
		if got.status != http.StatusAccepted || got.aborted != aborted {
			t.Errorf("status only: seen %+v", got)
		}
	}
	want(t, "error only", s.post("error", `{"do":"error only"}`), http.StatusInternalServerError, "")
	s.wantSeen("error only", seen{status: 500, errors: 1, note: "taken"})
}

// A panic leaves the outcome unknown, and gin.Recovery answers on the writer that it knows.
func TestPanic(t *testing.T) {
	s := open(t)
	want(t, "first", s.post("k", `{"do":"panic"}`), http.StatusInternalServerError, "")
	s.wantSeen("first", seen{status: 500, size: 0, aborted: true, note: "taken"})
	want(t, "again", s.post("k", `{"do":"panic"}`), http.StatusConflict, "outcome-unknown")
	s.wantRuns(1)
}

func TestHangUp(t *testing.T) {
	s := open(t)
	const wait = `{"item":"tea","do":"wait"}`
	ctx, hangUp := context.WithCancel(context.Background())
	gone := make(chan answer, 1)
	go func() { gone <- send(s.request("/orders", "k", wait).WithContext(ctx)) }()
	arrived := <-s.arrived
	<-s.begun
	hangUp()
	if a := <-gone; a.err == nil {
		t.Fatal("the client did not hang up")
	}
	<-arrived.Context().Done()
	close(s.gate)
	again := s.post("k", wait)
	want(t, "again", again, http.StatusCreated, "")
	if !again.replayed() {
		t.Errorf("again: %v", again.header)
	}
	s.wantRuns(1)
}

// Requests without a key pass with Gin's own writer.
func TestUnkeyedRequestsPass(t *testing.T) {
	var hijackable, pushable bool
	s := open(t, func(c *gin.Context) {
		_, hijackable = c.Writer.(http.Hijacker)
		pushable = c.Writer.CloseNotify() != nil
	})
	for range 2 {
		a := s.post("", tea)
		want(t, "no key", a, http.StatusCreated, "")
		if a.replayed() || a.header.Get(oncehttp.HeaderWindow) != "" {
			t.Errorf("no key: %v", a.header)
		}
		s.wantSeen("no key", seen{status: 201, size: len(a.body), note: "taken"})
	}
	if !hijackable || !pushable {
		t.Error("the handler of an unkeyed request does not see Gin's writer")
	}
	resp, err := http.Get(s.URL + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("GET: %d", resp.StatusCode)
	}
	s.wantRuns(3)
}

// The run is in the context of c.Request; a *gin.Context itself has it only with Engine.ContextWithFallback.
func TestRunIsInTheRequest(t *testing.T) {
	var inRequest, inGin error
	s := open(t, func(c *gin.Context) {
		inRequest, inGin = onceward.NoEffect(c.Request.Context()), onceward.NoEffect(c)
	})
	want(t, "first", s.post("k", tea), http.StatusCreated, "")
	if inRequest != nil || !errors.Is(inGin, onceward.ErrNoAttempt) {
		t.Errorf("c.Request.Context(): %v; c: %v: README.md has the wrong advice", inRequest, inGin)
	}
}

func TestWrongConfiguration(t *testing.T) {
	if _, err := oncegin.Middleware(nil, byUser, oncehttp.Config{}); !errors.Is(err, onceward.ErrConfig) {
		t.Errorf("no executor: %v", err)
	}
}
