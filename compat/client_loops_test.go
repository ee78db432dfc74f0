package compat

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// till is a guarded server whose replies get lost at first: one before its first byte, one in its body.
type till struct {
	*httptest.Server
	mu      sync.Mutex
	calls   int
	keys    map[string]bool
	effects int
}

func startTill(t *testing.T) *till {
	t.Helper()
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	scope := func(*http.Request) (onceward.Scope, error) {
		return onceward.Scope{Service: "till", Principal: "ann"}, nil
	}
	once, err := oncehttp.Middleware(guard, scope, oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := &till{keys: map[string]bool{}}
	handler := once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.effects++
		s.mu.Unlock()
		_, _ = w.Write(append([]byte("paid: "), body...))
	}))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.calls++
		call := s.calls
		s.keys[r.Header.Get(oncehttp.HeaderKey)] = true
		s.mu.Unlock()
		if call > 2 {
			handler.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
		if call == 2 {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "pai")
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(func() { s.Close(); _ = guard.Close(t.Context()) })
	return s
}

func (s *till) check(t *testing.T, resp *http.Response, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "paid: 5" || resp.Header.Get(oncehttp.HeaderReplayed) != "true" {
		t.Errorf("%v, %q, %v", err, body, resp.Header)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.effects != 1 || s.calls != 3 || len(s.keys) != 1 {
		t.Errorf("%d effects of %d calls under %d keys, want 1 of 3 under 1", s.effects, s.calls, len(s.keys))
	}
}

func keyTransport(t *testing.T) *oncehttp.KeyTransport {
	t.Helper()
	// One connection: a reply that the loop leaves open would block the next attempt.
	transport := &http.Transport{MaxConnsPerHost: 1}
	k, err := oncehttp.NewKeyTransport(oncehttp.KeyTransportConfig{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.CloseIdleConnections)
	return k
}

func hashicorp(transport http.RoundTripper) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{Transport: transport}
	c.RetryWaitMin, c.RetryWaitMax, c.Logger = time.Millisecond, 2*time.Millisecond, nil
	return c
}

func failsafe(transport http.RoundTripper) *http.Client {
	policy := failsafehttp.NewRetryPolicyBuilder().WithMaxRetries(4).WithDelay(time.Millisecond).Build()
	return &http.Client{Transport: failsafehttp.NewRoundTripper(transport, policy)}
}

func TestClientKeyTransportUnderRetryablehttp(t *testing.T) {
	s := startTill(t)
	req, err := retryablehttp.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, []byte("5"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oncehttp.SetKey(req.Request, nil); err != nil {
		t.Fatal(err)
	}
	resp, err := hashicorp(keyTransport(t)).Do(req)
	s.check(t, resp, err)
}

func TestClientKeyTransportUnderFailsafe(t *testing.T) {
	s := startTill(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("5"))
	if _, err := oncehttp.SetKey(req, nil); err != nil {
		t.Fatal(err)
	}
	resp, err := failsafe(keyTransport(t)).Do(req)
	s.check(t, resp, err)
}

// A loop's attempts must not each have a key of their own, so one without a key gets nowhere.
func TestClientKeyTransportRefusesALoopWithoutAKey(t *testing.T) {
	s := startTill(t)
	req, _ := retryablehttp.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, []byte("5"))
	if _, err := hashicorp(keyTransport(t)).Do(req); err == nil || s.calls != 0 {
		t.Errorf("retryablehttp: %v after %d calls", err, s.calls)
	}
	plain, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader("5"))
	if _, err := failsafe(keyTransport(t)).Do(plain); !errors.Is(err, onceward.ErrKeyMissing) || s.calls != 0 {
		t.Errorf("failsafe: %v after %d calls", err, s.calls)
	}
}

// What these tests are about: without the transport the loops do not see that a reply broke off in its body.
func TestClientLoopsAloneMissACutReply(t *testing.T) {
	for name, do := range map[string]func(url string) (*http.Response, error){
		"retryablehttp": func(url string) (*http.Response, error) {
			req, err := retryablehttp.NewRequestWithContext(t.Context(), http.MethodPost, url, []byte("5"))
			if err != nil {
				return nil, err
			}
			_, _ = oncehttp.SetKey(req.Request, nil)
			return hashicorp(&http.Transport{}).Do(req)
		},
		"failsafe": func(url string) (*http.Response, error) {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader([]byte("5")))
			_, _ = oncehttp.SetKey(req, nil)
			return failsafe(&http.Transport{}).Do(req)
		},
	} {
		s := startTill(t)
		resp, err := do(s.URL)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v: the trap that this test is about is gone", name, err)
		}
		_ = resp.Body.Close()
	}
}
