package redisstore

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestHungServerOverHTTP: while Redis hangs, a request gets 503 with Retry-After within the store's bound, whether the connection is there, is cut, or is needed for
// the reply of what has run; and under the same key it is settled when Redis goes on.
func TestHungServerOverHTTP(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	const bound = 200 * time.Millisecond
	s := openAt(t, Config{Timeout: bound}, server.Address())
	guard, err := onceward.New(s, onceward.Config{SaveLimit: bound})
	if err != nil {
		t.Fatal(err)
	}
	alice := func(*http.Request) (string, error) { return "alice", nil }
	once, err := oncehttp.Middleware(guard, oncehttp.Principal("orders", alice), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var runs atomic.Int64
	web := httptest.NewServer(once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs.Add(1)
		if r.URL.Path == "/freezes" {
			if err := server.Freeze(); err != nil {
				t.Error(err)
			}
		}
		w.WriteHeader(http.StatusCreated)
	})))
	defer web.Close()
	defer guard.Close(context.Background())
	defer server.Thaw() // Close would wait for it

	hung := func(when, path, key, problem string) {
		t.Helper()
		began := time.Now()
		resp, text := post(t, web.URL+path, key)
		took := time.Since(began)
		t.Logf("%s: %d after %v, of %v", when, resp.StatusCode, took.Round(time.Millisecond), bound)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(text, "#"+problem) {
			t.Errorf("%s: %s, Retry-After %q, %s", when, resp.Status, resp.Header.Get("Retry-After"), text)
		}
		if took > 9*bound { // less than the guard's own bound, 2 s
			t.Errorf("%s: answered after %v, the bound is %v", when, took, bound)
		}
	}
	goesOn := func(path, key string) {
		t.Helper()
		if err := server.Thaw(); err != nil {
			t.Fatal(err)
		}
		resp, text := post(t, web.URL+path, key)
		for deadline := time.Now().Add(10 * time.Second); resp.StatusCode == http.StatusServiceUnavailable && time.Now().Before(deadline); {
			resp, text = post(t, web.URL+path, key)
		}
		if resp.StatusCode != http.StatusCreated {
			t.Errorf("%s when it goes on: %s, %s", key, resp.Status, text)
		}
	}

	hung("after the handler", "/freezes", "one", "reply-not-saved")
	hung("with a connection", "/", "two", "store-unavailable")
	goesOn("/freezes", "one")
	goesOn("/", "two")
	talk(t, server, "CLIENT", "KILL", "TYPE", "normal")
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	hung("without a connection", "/", "three", "store-unavailable")
	hung("once more", "/", "three", "store-unavailable")
	goesOn("/", "three")
	if n := runs.Load(); n != 3 {
		t.Errorf("ran %d times", n)
	}
}

func post(t *testing.T, url, key string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("pay 5"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(oncehttp.HeaderKey, key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}
