package oncehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// An interim reply is no reply: what follows it may be lost like any other.
func TestClientInterimReplyThenNothing(t *testing.T) {
	for name, text := range map[string]string{
		"100": "HTTP/1.1 100 Continue\r\n\r\n",
		"103": "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nOnceward-Outcome: saved\r\n\r\n",
		"two": "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := startTiny(t, func(call int, w http.ResponseWriter) bool { return call == 1 && breakOff(w, text) })
			resp, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5"))
			if err != nil || bodyOf(t, resp) != "done: pay 5" || s.ran() != 1 || len(s.called()) != 2 {
				t.Errorf("%v, %d effects of %d calls", err, s.ran(), len(s.called()))
			}
		})
	}
	t.Run("103, then silence", func(t *testing.T) {
		s := startTiny(t, nil)
		silent, _ := stall(t, func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) })
		s.lose = func(call int, w http.ResponseWriter) bool { return call == 1 && silent(call, w) }
		p := quick
		p.AttemptTimeout = 50 * time.Millisecond
		resp, err := newTestClient(t, ClientConfig{Policy: p}).Do(post(t, s.URL, "pay 5"))
		if err != nil || bodyOf(t, resp) != "done: pay 5" || s.ran() != 1 {
			t.Errorf("%v, %d effects", err, s.ran())
		}
	})
}

// With one connection for a host, a reply that is left open blocks the next attempt for ever.
func TestClientOneConnectionDoesNotHang(t *testing.T) {
	for name, lose := range map[string]func(w http.ResponseWriter) bool{
		"503":       func(w http.ResponseWriter) bool { return mark(w, OutcomeFreed, 503) },
		"cut":       func(w http.ResponseWriter) bool { return breakOff(w, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab") },
		"too large": func(w http.ResponseWriter) bool { _, _ = w.Write(make([]byte, 5000)); return true },
		"endless": func(w http.ResponseWriter) bool { // chunks go on until nobody reads them
			for {
				if _, err := w.Write(make([]byte, 5000)); err != nil {
					return true
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startTiny(t, func(_ int, w http.ResponseWriter) bool { return lose(w) })
			transport := newTransport()
			transport.MaxConnsPerHost = 1
			p := quick
			p.AttemptTimeout = time.Minute // must not be what frees the connection
			client := newTestClient(t, ClientConfig{Transport: transport, MaxReply: 1000, Policy: p})
			for i := range 3 {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if i > 0 {
					ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
				}
				defer cancel()
				if _, err := client.Do(post(t, s.URL, "pay 5").WithContext(ctx)); err == nil || errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%v", err)
				}
			}
		})
	}
}

func TestClientFollowsNoRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := startTiny(t, func(_ int, w http.ResponseWriter) bool {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			return true
		})
		resp, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5"))
		if onceward.FateOf(err) != onceward.Unknown || resp.StatusCode != status || len(s.called()) != 1 {
			t.Errorf("%d: %v after %d calls", status, err, len(s.called()))
		}
	}
}

// A saved failure is the operation's answer: to send it again would get the same.
func TestClientReplayedFailureIsFinal(t *testing.T) {
	for _, status := range []int{500, 502, 503, 429} {
		s := startTiny(t, func(call int, w http.ResponseWriter) bool {
			if call == 1 {
				return breakOff(w, "")
			}
			w.Header().Set(HeaderReplayed, "true")
			return mark(w, OutcomeSaved, status)
		})
		resp, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5"))
		if err != nil || resp.StatusCode != status || len(s.called()) != 2 {
			t.Errorf("%d: %v after %d calls", status, err, len(s.called()))
		}
	}
}

func TestClientUnknownOutcomeGivesTheOperationBack(t *testing.T) {
	s := startTiny(t, func(call int, w http.ResponseWriter) bool {
		if call <= 2 {
			w.Header().Set(HeaderWindow, "3600")
			return problemReply(w, http.StatusServiceUnavailable, "reply-not-saved", false)
		}
		return call <= 4 && breakOff(w, "")
	})
	client := newTestClient(t, ClientConfig{})
	before := time.Now()
	resp, err := client.Do(post(t, s.URL, "pay 5"))
	var unknown *UnknownOutcomeError
	if !errors.As(err, &unknown) || onceward.FateOf(err) != onceward.Unknown {
		t.Fatalf("%T %v", err, err)
	}
	if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the last whole reply is %v", resp)
	}
	var cause *retry.Error
	if !errors.As(fmt.Errorf("paying: %w", err), &cause) || !errors.Is(err, retry.ErrAttemptsSpent) || !errors.Is(err, retry.ErrCutOff) {
		t.Errorf("%v wraps too little", err)
	}
	if len(unknown.Attempts) != 4 || unknown.Window != time.Hour || unknown.FirstSent.Before(before) {
		t.Errorf("%+v", unknown)
	}
	for i, a := range unknown.Attempts {
		if a.Number != i+1 || a.Start.Before(before) || a.Took <= 0 || a.Sends != 1 || a.End != []retry.End{retry.EndReplyNotSaved, retry.EndCutOff}[i/2] || a.Err == nil {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
	text := err.Error()
	for _, want := range []string{"unknown after 4 attempts", "same operation again within 59m", "never under a new key"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
	if strings.Contains(text, unknown.Operation.Key().Text()) {
		t.Errorf("the key is in %q", text)
	}
	resp, err = client.Send(t.Context(), unknown.Operation)
	if err != nil || bodyOf(t, resp) != "done: pay 5" || s.ran() != 1 || s.keys() != 1 {
		t.Errorf("sent again: %v, %d effects", err, s.ran())
	}
}

// Only an unknown fate is an unknown outcome.
func TestClientKnownFateIsNoUnknownOutcome(t *testing.T) {
	for name, req := range map[string]func(s *tinyServer) *http.Request{
		"executed, reply gone": func(s *tinyServer) *http.Request { return post(t, s.URL, "gone") },
		"not executed":         func(s *tinyServer) *http.Request { return post(t, s.URL, "refused") },
		"no effect": func(s *tinyServer) *http.Request {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
			return r
		},
	} {
		s := startTiny(t, nil)
		s.lose = func(_ int, w http.ResponseWriter) bool {
			switch bodies := s.got(); bodies[len(bodies)-1] {
			case "gone":
				return problemReply(w, http.StatusConflict, "reply-not-kept", false)
			case "refused":
				return problemReply(w, http.StatusConflict, "not-executed", true)
			}
			return breakOff(w, "")
		}
		_, err := newTestClient(t, ClientConfig{}).Do(req(s))
		var unknown *UnknownOutcomeError
		var cause *retry.Error
		if err == nil || errors.As(err, &unknown) || !errors.As(err, &cause) {
			t.Errorf("%s: %T %v", name, err, err)
		}
		if name == "no effect" && !strings.Contains(err.Error(), "no effect") {
			t.Errorf("the hint for a GET: %v", err)
		}
	}
}

func TestClientCancelledBetweenAttempts(t *testing.T) {
	reason := errors.New("the user closed the window")
	s := startTiny(t, func(_ int, w http.ResponseWriter) bool { return mark(w, OutcomeFreed, 503) })
	ctx, cancel := context.WithCancelCause(t.Context())
	clock := retry.Clock{Sleep: func(ctx context.Context, _ time.Duration) error { cancel(reason); return ctx.Err() }}
	resp, err := newTestClient(t, ClientConfig{Clock: clock}).Do(post(t, s.URL, "pay 5").WithContext(ctx))
	if onceward.FateOf(err) != onceward.NotExecuted || !errors.Is(err, reason) || resp == nil || len(s.called()) != 1 {
		t.Errorf("%v after %d calls", err, len(s.called()))
	}
}
