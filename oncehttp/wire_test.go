package oncehttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// dyingServer answers the first request of each connection; with the second it executes and dies without a byte. That is what
// a server does that is restarted behind a client's idle connections.
func dyingServer(t *testing.T, idle int) (url string, executions *atomic.Int64) {
	executions = new(atomic.Int64)
	var warm sync.WaitGroup // keeps the replies back until every connection exists
	warm.Add(idle)
	return rawServer(t, func(conn net.Conn, r *http.Request, nth int) bool {
		if nth == 2 {
			executions.Add(1)
			return false
		}
		if r.URL.Path == "/warm" {
			warm.Done()
			warm.Wait()
		} else {
			executions.Add(1)
		}
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		return err == nil
	}), executions
}

func warmUp(t *testing.T, transport http.RoundTripper, url string, connections int) {
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			req, _ := http.NewRequest(http.MethodPost, url+"/warm", strings.NewReader("x"))
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		})
	}
	all.Wait()
}

// net/http sends a request with an Idempotency-Key again by itself when an idle connection dies under it. A client that counts its attempts must not let it.
func TestWireSendsOncePerAttempt(t *testing.T) {
	const idle = 20
	for _, body := range []string{"", "pay 5"} {
		t.Run(fmt.Sprintf("%d bytes", len(body)), func(t *testing.T) {
			url, executions := dyingServer(t, idle)
			transport := newTransport()
			warmUp(t, transport, url, idle)
			_, err := newTestClient(t, ClientConfig{Transport: transport}).Do(post(t, url, body))
			var e *retry.Error
			if !errors.As(err, &e) || e.Fate() != onceward.Unknown {
				t.Fatalf("%v", err)
			}
			sends := 0
			for _, a := range e.Attempts {
				sends += a.Sends
			}
			if n := executions.Load(); n != 4 || sends != 4 || e.Count != 4 {
				t.Errorf("%d executions of %d attempts, %d sends counted; want 4 of each", n, e.Count, sends)
			}
		})
	}
	// The trap is really there: this test must see it where it is not taken away.
	url, executions := dyingServer(t, idle)
	transport := newTransport()
	defer transport.CloseIdleConnections()
	warmUp(t, transport, url, idle)
	req, _ := http.NewRequest(http.MethodPost, url, strings.NewReader("pay 5"))
	req.Header.Set(HeaderKey, "k")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if n := executions.Load(); n <= 4 {
		t.Errorf("net/http alone executed %d times: the trap that this test is about is gone", n)
	}
}

func TestWireEmptyBodySaysItsLength(t *testing.T) {
	var seen string
	url := rawServer(t, func(conn net.Conn, r *http.Request, _ int) bool {
		seen = fmt.Sprint(r.ContentLength, r.TransferEncoding, r.Header["Content-Length"])
		_, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		return err == nil
	})
	if _, err := newTestClient(t, ClientConfig{}).Do(post(t, url, "")); err != nil {
		t.Fatal(err)
	}
	if seen != "0 [] []" && seen != "0 [] [0]" {
		t.Errorf("the wire has %s, want Content-Length 0 and no chunks", seen)
	}
}

func TestWireHTTP2(t *testing.T) {
	var calls atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if calls.Add(1)%2 == 1 {
			panic(http.ErrAbortHandler) // RST_STREAM
		}
		w.Header().Set(HeaderOutcome, OutcomeSaved)
		_, _ = fmt.Fprintf(w, "%s %d", r.Proto, len(body))
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	for _, body := range []string{"", "pay 5"} {
		calls.Store(0)
		var sends int
		client := newTestClient(t, ClientConfig{Transport: s.Client().Transport, Observer: retry.Observer{Attempt: func(_ context.Context, _ onceward.Key, a retry.Attempt) { sends += a.Sends }}})
		resp, err := client.Do(post(t, s.URL, body))
		if err != nil {
			t.Fatal(err)
		}
		if got := bodyOf(t, resp); got != fmt.Sprintf("HTTP/2.0 %d", len(body)) || calls.Load() != 2 || sends != 2 {
			t.Errorf("%q after %d calls and %d sends", got, calls.Load(), sends)
		}
	}
}

func TestWireProofOfNotSent(t *testing.T) {
	t.Run("TLS refused", func(t *testing.T) {
		s := httptest.NewTLSServer(http.NotFoundHandler())
		defer s.Close()
		s.Config.ErrorLog = nil
		_, err := newTestClient(t, ClientConfig{}).Do(post(t, s.URL, "pay 5")) // does not trust it
		if onceward.FateOf(err) != onceward.NotExecuted {
			t.Errorf("%v", err)
		}
	})
	t.Run("not TLS at all", func(t *testing.T) {
		s := startTiny(t, nil)
		_, err := newTestClient(t, ClientConfig{}).Do(post(t, strings.Replace(s.URL, "http:", "https:", 1), "pay 5"))
		if onceward.FateOf(err) != onceward.NotExecuted || !errors.Is(err, retry.ErrNotSent) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a handshake without an answer", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		transport := newTransport()
		transport.TLSHandshakeTimeout = 20 * time.Millisecond
		_, err = newTestClient(t, ClientConfig{Transport: transport}).Do(post(t, "https://"+l.Addr().String(), "pay 5"))
		if onceward.FateOf(err) != onceward.NotExecuted || !errors.Is(err, retry.ErrNotSent) {
			t.Errorf("%v", err)
		}
	})
	t.Run("no such name", func(t *testing.T) {
		dns := &net.DNSError{Err: "no such host", IsNotFound: true}
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, dns }}
		_, err := newTestClient(t, ClientConfig{Transport: transport}).Do(post(t, "http://nowhere.invalid/", "pay 5"))
		if onceward.FateOf(err) != onceward.NotExecuted || !errors.Is(err, dns) {
			t.Errorf("%v", err)
		}
	})
	t.Run("cancelled while dialling", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		_, err := newTestClient(t, ClientConfig{Transport: transport}).Do(post(t, "http://nowhere.invalid/", "pay 5").WithContext(ctx))
		if onceward.FateOf(err) != onceward.NotExecuted || !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
	t.Run("an unknown transport proves nothing by failing", func(t *testing.T) {
		failing := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("failed") })
		_, err := newTestClient(t, ClientConfig{Transport: failing}).Do(post(t, "http://nowhere.invalid/", "pay 5"))
		if onceward.FateOf(err) != onceward.Unknown {
			t.Errorf("%v", err)
		}
	})
	t.Run("a dial error after a connection proves nothing", func(t *testing.T) {
		// As a transport does that sends, loses the connection, and fails to open another.
		s := startTiny(t, func(_ int, w http.ResponseWriter) bool { return breakOff(w, "") })
		inner := newTransport()
		defer inner.CloseIdleConnections()
		again := roundTripper(func(r *http.Request) (*http.Response, error) {
			_, _ = inner.RoundTrip(r)
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		})
		_, err := newTestClient(t, ClientConfig{Transport: again}).Do(post(t, s.URL, "pay 5"))
		if onceward.FateOf(err) != onceward.Unknown {
			t.Errorf("%v", err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWireAuthorizePerAttempt(t *testing.T) {
	s := startTiny(t, func(call int, w http.ResponseWriter) bool { return call == 1 && breakOff(w, "") })
	n := 0
	client := newTestClient(t, ClientConfig{Authorize: func(r *http.Request) error {
		n++
		r.Header.Set("Authorization", fmt.Sprint("Bearer ", n))
		r.Header.Set(HeaderKey, "another") // not the hook's to change
		_, _ = io.ReadAll(r.Body)          // a signature covers it
		return nil
	}})
	if _, err := client.Do(post(t, s.URL, "pay 5")); err != nil {
		t.Fatal(err)
	}
	if len(s.called()) != 2 || s.called()[1].Get("Authorization") != "Bearer 2" || s.got()[1] != "pay 5" || s.called()[1].Get(HeaderKey) == "another" {
		t.Errorf("%v %q", s.called(), s.got())
	}
	refusal := errors.New("no token")
	client = newTestClient(t, ClientConfig{Authorize: func(*http.Request) error { return refusal }})
	if _, err := client.Do(post(t, s.URL, "pay 5")); !errors.Is(err, refusal) || onceward.FateOf(err) != onceward.NotExecuted || len(s.called()) != 2 {
		t.Errorf("%v", err)
	}
}

func TestWireClosesEveryBody(t *testing.T) {
	// With one connection per host a body that stays open blocks the next attempt for ever.
	s := startTiny(t, func(call int, w http.ResponseWriter) bool {
		return call <= 3 && problemReply(w, http.StatusServiceUnavailable, "store-unavailable", false)
	})
	transport := newTransport()
	transport.MaxConnsPerHost = 1
	if _, err := newTestClient(t, ClientConfig{Transport: transport}).Do(post(t, s.URL, "pay 5")); err != nil {
		t.Error(err)
	}
}
