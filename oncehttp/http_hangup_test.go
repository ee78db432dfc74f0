package oncehttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// gone tells the handler of a request under test that its client has left: guarded handlers never learn it themselves.
type goneKey struct{}

func withGone(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), goneKey{}, r.Context().Done())))
	})
}

func gone(r *http.Request) <-chan struct{} { return r.Context().Value(goneKey{}).(<-chan struct{}) }

// serveGone is serve, with a handler that can wait until the first client has left.
func (n network) serveGone(gcfg onceward.Config, h http.HandlerFunc) *served {
	n.t.Helper()
	guard, err := onceward.New(memstore.New(memstore.Config{}), gcfg)
	if err != nil {
		n.t.Fatal(err)
	}
	once, err := oncehttp.Middleware(guard, byUser, oncehttp.Config{})
	if err != nil {
		n.t.Fatal(err)
	}
	s := &served{t: n.t, guard: guard}
	s.Server = n.listen(withGone(once(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.runs.Add(1)
		h(w, r)
	}))))
	n.t.Cleanup(func() {
		s.Close()
		if err := guard.Close(context.Background()); err != nil {
			n.t.Error(err)
		}
	})
	return s
}

func TestHTTPHangUpInMidHandler(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		running := make(chan struct{})
		s := n.serveGone(onceward.Config{}, func(w http.ResponseWriter, r *http.Request) {
			close(running)
			<-gone(r)
			if err := r.Context().Err(); err != nil {
				http.Error(w, "the client's leaving became the handler's: "+err.Error(), 500)
				return
			}
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "whole, for %s %v", body, err)
		})
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			<-running
			leave()
		}()
		if resp, err := s.Client().Do(s.request("k", "x", nil).WithContext(ctx)); err == nil {
			resp.Body.Close()
			t.Fatal("the client did not hang up")
		}
		if a := s.post("k", "x"); a.StatusCode != 200 || a.body != "whole, for x <nil>" {
			t.Errorf("%d %q", a.StatusCode, a.body)
		}
		s.ranTimes(1)
	})
}

func TestHTTPHangUpInMidStream(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		part := strings.Repeat("0123456789abcdef", 2048) // 32 KiB
		const parts = 50
		s := n.serveGone(onceward.Config{MaxReply: 4 << 20}, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			for i := range parts {
				if i == 1 {
					<-gone(r)
				}
				if _, err := io.WriteString(w, part); err != nil {
					t.Errorf("part %d: %v", i, err)
					return
				}
				if err := rc.Flush(); err != nil {
					t.Errorf("part %d: %v", i, err)
					return
				}
			}
		})
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		resp, err := s.Client().Do(s.request("k", "x", nil).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, len(part))); err != nil {
			t.Fatal(err)
		}
		leave()
		resp.Body.Close()
		a := s.post("k", "x")
		if a.body != strings.Repeat(part, parts) || a.Header.Get(oncehttp.HeaderReplayed) != "true" {
			t.Errorf("%d bytes, replayed %q", len(a.body), a.Header.Get(oncehttp.HeaderReplayed))
		}
		s.ranTimes(1)
	})
}

func TestHTTPHangUpInMidUpload(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for _, length := range []int64{100, -1} {
			s := n.serve(onceward.Config{}, oncehttp.Config{}, created)
			ctx, leave := context.WithCancel(t.Context())
			pr, pw := io.Pipe()
			go func() {
				_, _ = io.WriteString(pw, "half ")
				leave() // the rest never comes
				_ = pw.CloseWithError(context.Canceled)
			}()
			req := s.request("k", "", func(r *http.Request) { r.Body, r.ContentLength = pr, length })
			if resp, err := s.Client().Do(req.WithContext(ctx)); err == nil {
				resp.Body.Close()
			}
			a := s.post("k", "whole")
			if a.StatusCode != 201 || a.body != "created whole" || a.Header.Get(oncehttp.HeaderReplayed) != "" {
				t.Errorf("length %d: %d %q %v", length, a.StatusCode, a.body, a.Header)
			}
			s.ranTimes(1)
		}
	})
}
