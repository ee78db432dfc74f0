package oncegin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/onceward/onceward"
)

// What a handler flushes arrives before the handler ends, and is replayed whole.
func TestStreams(t *testing.T) {
	s := open(t)
	line, rest := s.openStream()
	if line != "one\n" {
		t.Fatalf("first line %q", line)
	}
	close(s.gate)
	if got, err := rest(); got != "two\n" || err != nil {
		t.Errorf("the rest is %q, %v", got, err)
	}
	s.wantSeen("first", seen{status: 200, size: 8})
	again := send(s.request("/stream", "k", "{}"))
	want(t, "again", again, http.StatusOK, "")
	if again.body != "one\ntwo\n" || !again.replayed() {
		t.Errorf("again %q %v", again.body, again.header)
	}
	s.wantRuns(1)
}

// A stream whose end could not be saved is cut, although gin.Recovery swallows http.ErrAbortHandler.
func TestCutStream(t *testing.T) {
	s := open(t)
	_, rest := s.openStream()
	s.store.down.Store(true)
	close(s.gate)
	if got, err := rest(); err == nil {
		t.Errorf("the stream ended in good order, with %q", got)
	}
}

// The writer keeps Gin's rules.
func TestWriterIsGins(t *testing.T) {
	var faults []string
	check := func(ok bool, rule string) {
		if !ok {
			faults = append(faults, rule)
		}
	}
	s := open(t, func(c *gin.Context) {
		w := c.Writer
		check(!w.Written() && w.Size() == -1 && w.Status() == 200, "nothing is written at first")
		c.Status(http.StatusAccepted)
		c.Status(http.StatusTeapot)
		check(!w.Written() && w.Status() == 418, "a status may change before it is final")
		w.WriteHeader(http.StatusEarlyHints)
		check(!w.Written() && w.Status() == 418, "an informational status decides nothing")
		_, _, err := w.Hijack()
		check(errors.Is(err, http.ErrNotSupported), "a hijack is refused")
		_, _, err = http.NewResponseController(w).Hijack()
		check(errors.Is(err, http.ErrNotSupported), "a hijack by ResponseController is refused")
		check(!w.Written(), "a refused hijack writes nothing")
		check(w.Pusher() == nil, "nothing is pushed")
		select {
		case <-w.CloseNotify():
			check(false, "nobody hangs up")
		default:
		}
		w.WriteHeaderNow()
		check(w.Written() && w.Size() == 0, "WriteHeaderNow is final")
		w.WriteHeader(http.StatusOK)
		check(w.Status() == 418, "a final status stays")
		n, err := w.WriteString("short ")
		check(n == 6 && err == nil && w.Size() == 6, "WriteString counts")
		n, err = w.Write([]byte("and stout"))
		check(n == 9 && err == nil && w.Size() == 15, "Write counts")
		c.Abort()
	})
	a := s.post("k", tea)
	if len(faults) > 0 {
		t.Errorf("broken: %q", faults)
	}
	want(t, "first", a, http.StatusTeapot, "")
	if a.body != "short and stout" {
		t.Errorf("body %q", a.body)
	}
	s.wantSeen("first", seen{status: 418, size: 15, aborted: true})
}

// fickle runs the function again, as a transactor does after a serialization failure.
type fickle struct{}

func (fickle) Window() time.Duration { return time.Hour }

func (fickle) Do(ctx context.Context, _ onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	var out onceward.Outcome
	for n := range 3 {
		out = fn(ctx, onceward.Attempt{N: n + 1, Buffered: true, MaxReply: 1 << 20})
	}
	return onceward.Result{Reply: out.Reply, Standing: onceward.Saved}, nil
}

// Each run goes through the whole chain, with the body rewound, and leaves nothing to the next.
func TestRunsAgain(t *testing.T) {
	s := openWith(t, fickle{}, func(c *gin.Context) {
		_, marked := c.Get("mark")
		c.Set("mark", true)
		body, err := io.ReadAll(c.Request.Body)
		c.String(http.StatusOK, "marked %v, errors %d, %s %v, aborted %v, %s", marked, len(c.Errors), body, err, c.IsAborted(), c.FullPath())
		_ = c.Error(fmt.Errorf("of this run"))
		c.Abort()
	})
	a := s.post("k", tea)
	want(t, "reply", a, http.StatusOK, "")
	if a.body != "marked false, errors 0, "+tea+" <nil>, aborted false, /orders" {
		t.Errorf("the last run says %q", a.body)
	}
	s.wantRuns(3)
	s.wantSeen("reply", seen{status: 200, size: len(a.body), aborted: true, errors: 1})
}
