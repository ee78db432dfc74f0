package oncehttp

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// However the first reply gets lost, the operation takes effect once, under one key, and its reply arrives.
func TestClientLostReplies(t *testing.T) {
	for name, text := range map[string]string{
		"before the first byte": "",
		"in the headers":        "HTTP/1.1 201 Created\r\nContent-Le",
		"after the headers":     "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n",
		"in the body":           "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\ndone",
		"in a chunk":            "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndone:\r\n40\r\nab",
		"before the last chunk": "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndone:\r\n",
	} {
		for _, body := range []string{"pay 5", ""} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, len(body)), func(t *testing.T) {
				s := startTiny(t, func(call int, w http.ResponseWriter) bool { return call <= 2 && breakOff(w, text) })
				resp, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, body))
				if err != nil {
					t.Fatal(err)
				}
				if got := bodyOf(t, resp); got != "done: "+body || resp.StatusCode != 201 || resp.Header.Get(HeaderReplayed) != "true" {
					t.Errorf("%d %q", resp.StatusCode, got)
				}
				if s.ran() != 1 || len(s.called()) != 3 || s.keys() != 1 {
					t.Errorf("%d effects of %d calls under %d keys", s.ran(), len(s.called()), s.keys())
				}
				for i, h := range s.called() {
					if s.got()[i] != body || h.Get(HeaderHorizon) == "" {
						t.Errorf("call %d: %q %v", i, s.got()[i], h)
					}
				}
			})
		}
	}
}

func TestClientRefusedConnectionIsNotExecuted(t *testing.T) {
	s := startTiny(t, nil)
	s.Close()
	resp, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5"))
	if resp != nil || onceward.FateOf(err) != onceward.NotExecuted || !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, retry.ErrNotSent) {
		t.Errorf("%v %v: %v", resp, onceward.FateOf(err), err)
	}
	var e *retry.Error
	if !errors.As(err, &e) || e.Count != 4 || e.Attempts[0].Sends != 0 {
		t.Errorf("%+v", e)
	}
}

func TestClientAmbiguousThenRefusedIsUnknown(t *testing.T) {
	var s *tinyServer
	s = startTiny(t, func(_ int, w http.ResponseWriter) bool {
		_ = s.Listener.Close()
		return breakOff(w, "")
	})
	_, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5"))
	if onceward.FateOf(err) != onceward.Unknown || !errors.Is(err, syscall.ECONNREFUSED) || s.ran() != 1 {
		t.Errorf("%v: %v", onceward.FateOf(err), err)
	}
}

func TestClientPollsWhileInProgress(t *testing.T) {
	s := startTiny(t, func(call int, w http.ResponseWriter) bool {
		return call <= 10 && problemReply(w, http.StatusConflict, "in-progress", false)
	})
	resp, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5"))
	if err != nil || len(s.called()) != 11 || bodyOf(t, resp) != "done: pay 5" {
		t.Errorf("%v after %d calls", err, len(s.called()))
	}
}

func TestClientRetryAfter(t *testing.T) {
	for _, c := range []struct {
		header, date string
		least        time.Duration
		stop         error
	}{
		{"7", "", 7 * time.Second, nil},
		{"0", "", 0, nil},
		{"-5", "", 0, nil},
		{"31", "", 0, retry.ErrRetryAfter},
		{"Sun, 06 Nov 1994 08:49:00 GMT", "Sun, 06 Nov 1994 08:49:28 GMT", 0, nil}, // past
		{"Sun, 06 Nov 1994 08:49:00 GMT", "", 0, nil},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", 0, retry.ErrRetryAfter},
		{"99999999999999999999", "", 0, retry.ErrRetryAfter},
		// Counted from the server's own clock, which is years off.
		{"Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:28 GMT", 9 * time.Second, nil},
		{"Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:28 GMT", 9 * time.Second, nil},
		{"Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:28 GMT", 9 * time.Second, nil},
	} {
		s := startTiny(t, func(call int, w http.ResponseWriter) bool {
			if call > 1 {
				return false
			}
			w.Header().Set("Retry-After", c.header)
			if c.date != "" {
				w.Header().Set("Date", c.date)
			}
			return problemReply(w, http.StatusServiceUnavailable, "store-unavailable", false)
		})
		var w waits
		_, err := newTestClient(t, ClientConfig{Clock: w.clock()}).Do(post(t, s.URL, "pay 5"))
		if c.stop != nil {
			if !errors.Is(err, c.stop) || !errors.Is(err, onceward.ErrStoreUnavailable) || len(w.all) != 0 {
				t.Errorf("%q: %v after waits %v", c.header, err, w.all)
			}
			continue
		}
		if err != nil || len(w.all) != 1 || w.all[0] < c.least || w.all[0] > c.least+time.Second {
			t.Errorf("%q: %v, waits %v, want at least %v", c.header, err, w.all, c.least)
		}
	}
}

// stall keeps handlers busy until the test ends. It is called after the server has been started, so that it ends before it.
func stall(t *testing.T, before func(http.ResponseWriter)) (func(int, http.ResponseWriter) bool, <-chan struct{}) {
	arrived, end := make(chan struct{}, 100), make(chan struct{})
	t.Cleanup(func() { close(end) })
	return func(_ int, w http.ResponseWriter) bool {
		before(w)
		arrived <- struct{}{}
		<-end
		return true
	}, arrived
}

func TestClientDeadlineAndCancellation(t *testing.T) {
	reason := errors.New("the user closed the window")
	for _, headers := range []bool{false, true} {
		s := startTiny(t, nil)
		lose, arrived := stall(t, func(w http.ResponseWriter) {
			if headers {
				w.WriteHeader(http.StatusCreated)
				_ = http.NewResponseController(w).Flush()
			}
		})
		s.lose = lose
		client := newTestClient(t, ClientConfig{})

		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-arrived; cancel(reason) }()
		_, err := client.Do(post(t, s.URL, "pay 5").WithContext(ctx))
		if onceward.FateOf(err) != onceward.Unknown || !errors.Is(err, context.Canceled) || !errors.Is(err, reason) || len(s.called()) != 1 {
			t.Errorf("cancelled: %v after %d calls", err, len(s.called()))
		}

		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stop()
		_, err = client.Do(post(t, s.URL, "pay 5").WithContext(ctx))
		if onceward.FateOf(err) != onceward.Unknown || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, retry.ErrAttemptTimeout) {
			t.Errorf("deadline: %v", err)
		}
	}
}

func TestClientAttemptTimeoutIsNotTheCallersDeadline(t *testing.T) {
	s := startTiny(t, nil)
	s.lose, _ = stall(t, func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusCreated)
		_ = http.NewResponseController(w).Flush()
	})
	p := quick
	p.Attempts, p.AttemptTimeout = 2, 30*time.Millisecond
	_, err := newTestClient(t, ClientConfig{Policy: p}).Do(post(t, s.URL, "pay 5"))
	if onceward.FateOf(err) != onceward.Unknown || !errors.Is(err, retry.ErrAttemptTimeout) || errors.Is(err, context.DeadlineExceeded) || len(s.called()) != 2 {
		t.Errorf("%v after %d calls", err, len(s.called()))
	}
}

func TestClientReturnsTheReplyWithEveryEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter) bool
		status int
		fate   onceward.Fate
		fine   bool // no error
		is     error
		calls  int
	}{
		{"saved 402", func(w http.ResponseWriter) bool { return mark(w, OutcomeSaved, 402) }, 402, onceward.Executed, true, nil, 1},
		{"saved 503", func(w http.ResponseWriter) bool { return mark(w, OutcomeSaved, 503) }, 503, onceward.Executed, true, nil, 1},
		{"freed 401", func(w http.ResponseWriter) bool { return mark(w, OutcomeFreed, 401) }, 401, onceward.NotExecuted, false, nil, 1},
		{"freed 503", func(w http.ResponseWriter) bool { return mark(w, OutcomeFreed, 503) }, 503, onceward.NotExecuted, false, retry.ErrAttemptsSpent, 4},
		{"doubted 500", func(w http.ResponseWriter) bool { return mark(w, OutcomeDoubted, 500) }, 500, onceward.Unknown, false, retry.ErrAttemptsSpent, 4},
		{"reply not kept", func(w http.ResponseWriter) bool { return problemReply(w, 409, "reply-not-kept", false) }, 409, onceward.Executed, false, onceward.ErrReplyNotKept, 1},
		{"key reused", func(w http.ResponseWriter) bool { return problemReply(w, 422, "key-reused", false) }, 422, onceward.Unknown, false, onceward.ErrKeyReused, 1},
		{"outcome unknown", func(w http.ResponseWriter) bool { return problemReply(w, 409, "outcome-unknown", false) }, 409, onceward.Unknown, false, onceward.ErrOutcomeUnknown, 1},
		{"cancelled", func(w http.ResponseWriter) bool {
			w.Header().Set(HeaderReplayed, "true") // a fixed problem out of the record
			return problemReply(w, 409, "not-executed", true)
		}, 409, onceward.NotExecuted, false, onceward.ErrNotExecuted, 1},
		{"a redirect is no answer", func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Set-Cookie", "a=b")
			w.WriteHeader(307)
			return true
		}, 307, onceward.Unknown, false, nil, 1},
		{"too large, saved", func(w http.ResponseWriter) bool {
			w.Header().Set(HeaderOutcome, OutcomeSaved)
			_, _ = w.Write(make([]byte, 2000))
			return true
		}, 0, onceward.Executed, false, retry.ErrReplyTooLarge, 1},
		{"too large, streamed", func(w http.ResponseWriter) bool {
			w.Header().Set(HeaderWindow, "86400")
			_, _ = w.Write(make([]byte, 2000))
			return true
		}, 0, onceward.Unknown, false, retry.ErrReplyTooLarge, 1},
		{"as large as allowed", func(w http.ResponseWriter) bool { _, _ = w.Write(make([]byte, 1000)); return true }, 200, onceward.Executed, true, nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := startTiny(t, func(_ int, w http.ResponseWriter) bool { return c.answer(w) })
			resp, err := newTestClient(t, ClientConfig{MaxReply: 1000}).Do(post(t, s.URL, "pay 5"))
			if (err == nil) != c.fine || onceward.FateOf(err) != c.fate || c.is != nil && !errors.Is(err, c.is) || len(s.called()) != c.calls {
				t.Errorf("%v: %v after %d calls", onceward.FateOf(err), err, len(s.called()))
			}
			if c.status == 0 && resp != nil || c.status != 0 && (resp == nil || resp.StatusCode != c.status) {
				t.Errorf("response %v", resp)
			}
		})
	}
}

func mark(w http.ResponseWriter, outcome string, status int) bool {
	w.Header().Set(HeaderOutcome, outcome)
	w.WriteHeader(status)
	return true
}

func TestClientSafeRequestsHaveNoKey(t *testing.T) {
	s := startTiny(t, func(call int, w http.ResponseWriter) bool { return call == 1 && breakOff(w, "") })
	client := newTestClient(t, ClientConfig{})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if _, err := client.Do(req); err != nil || s.called()[len(s.called())-1].Get(HeaderKey) != "" {
		t.Errorf("%v, %v", err, s.called())
	}
	s = startTiny(t, func(_ int, w http.ResponseWriter) bool { w.WriteHeader(404); return true })
	req, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	req.Header.Set(HeaderKey, `"my,own"`)
	if resp, err := client.Do(req); err != nil || resp.StatusCode != 404 || s.called()[0].Get(HeaderKey) != `"my,own"` {
		t.Errorf("%v, %v", err, s.called())
	}
}

func TestClientConcurrentSendsOfOneOperation(t *testing.T) {
	s := startTiny(t, func(call int, w http.ResponseWriter) bool { return call%3 == 0 && breakOff(w, "") })
	client := newTestClient(t, ClientConfig{})
	op, err := client.Prepare(post(t, s.URL, strings.Repeat("pay 5 ", 1000)))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			resp, err := client.Send(t.Context(), op)
			if err != nil {
				t.Error(err)
				return
			}
			if !strings.HasPrefix(bodyOf(t, resp), "done: pay 5") {
				t.Error("not the reply")
			}
		})
	}
	all.Wait()
	if s.ran() != 1 {
		t.Errorf("%d effects, want 1", s.ran())
	}
}

func TestClientConfigReportsEveryFault(t *testing.T) {
	_, err := NewClient(ClientConfig{MaxBody: -1, MaxReply: -1, Secrets: []string{""}, Window: time.Minute, Policy: retry.Policy{Attempts: -1}})
	for _, field := range []string{"MaxBody", "MaxReply", "Secrets[0]", "Attempts"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named in %v", field, err)
		}
	}
	if _, err := NewClient(ClientConfig{Window: time.Minute}); err == nil {
		t.Error("a policy that goes on longer than the window was built")
	}
}

func TestClientBoundsTheReplyAfterDecompression(t *testing.T) {
	s := startTiny(t, func(_ int, w http.ResponseWriter) bool {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 1<<20))
		_ = z.Close()
		return true
	})
	if _, err := newTestClient(t, ClientConfig{MaxReply: 1 << 16}).Do(post(t, s.URL, "x")); !errors.Is(err, retry.ErrReplyTooLarge) {
		t.Errorf("%v", err)
	}
}
