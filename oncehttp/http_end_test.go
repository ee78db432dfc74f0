package oncehttp_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// streams are handlers that flush all they have. Whatever they do, their clients must not see the end of the reply before it is saved.
var streams = map[string]http.HandlerFunc{
	"chunked": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "complete") },
	"declared": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "8")
		fmt.Fprint(w, "complete")
	},
	"declared, in pieces": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "8")
		fmt.Fprint(w, "complet")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "e")
		w.(http.Flusher).Flush()
	},
	"declared empty": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") },
	"no content":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"not modified":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
	"no body":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) },
	"ends by closing": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Transfer-Encoding", "identity")
		fmt.Fprint(w, "complete")
	},
	"larger than kept": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(pattern(5000))
		_, _ = w.Write(pattern(5000))
	},
	"larger than kept, declared": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10000")
		_, _ = w.Write(pattern(5000))
		_, _ = w.Write(pattern(5000))
	},
}

// success reports whether the client would take what it gets for a reply of the operation.
func success(s *served, req *http.Request) (string, bool) {
	resp, err := s.Client().Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %q", resp.StatusCode, body), err == nil && resp.StatusCode < 400
}

func TestHTTPTheEndWaitsForTheSave(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for name, stream := range streams {
			t.Run(name, func(t *testing.T) {
				n := network{t, n.h2}
				var broken atomic.Bool
				broken.Store(true)
				st := &hooked{Store: memstore.New(memstore.Config{}), onComplete: func() error {
					if broken.Load() {
						return errStoreBroke
					}
					return nil
				}}
				s := n.over(st, onceward.Config{SaveLimit: time.Millisecond, MaxReply: 4000}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
					stream(w, r)
					w.(http.Flusher).Flush()
				})
				if got, ok := success(s, s.request("k", "x", nil)); ok {
					t.Errorf("a reply that was not saved looks whole: %s", got)
				}
				broken.Store(false)
			})
		}
	})
}

func TestHTTPASaveThatFailsAbortsTheStream(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		st := &savesNothing{Store: memstore.New(memstore.Config{})}
		s := n.over(st, onceward.Config{SaveLimit: time.Millisecond}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				fmt.Fprint(w, "event\n")
				if r.Header.Get("X-Quiet") == "" {
					w.(http.Flusher).Flush()
				}
			}
		})
		s.cutOff(s.request("k", "x", nil))
		wantProblem(t, s.send(s.request("quiet", "x", func(r *http.Request) { r.Header.Set("X-Quiet", "1") })), 503, "reply-not-saved", false)
		st.heal()
	})
}

// A recoverer outside of the guard must not turn an aborted stream into one that ends well.
func TestHTTPARecovererOutsideCannotEndTheStream(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
		if err != nil {
			t.Fatal(err)
		}
		once, err := oncehttp.Middleware(guard, byUser, oncehttp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		inner := once(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "begun")
			w.(http.Flusher).Flush()
			panic("in the middle")
		}))
		s := &served{t: t, Server: n.listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { _ = recover() }()
			inner.ServeHTTP(w, r)
		}))}
		s.cutOff(s.request("k", "x", nil))
		wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
		s.Close()
		_ = guard.Close(t.Context())
	})
}

// upstream is a server that sends head and the beginning of a body, and closes the connection.
func upstream(t *testing.T, reply string) *url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, reply)
			_ = conn.Close()
		}
	}()
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

func TestHTTPATruncatedUpstreamReplyIsNeverDone(t *testing.T) {
	replies := map[string]string{
		"declared":          "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it",
		"declared, no body": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
		"chunked":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n",
	}
	eachNetwork(t, func(t *testing.T, n network) {
		for name, reply := range replies {
			for _, flush := range []time.Duration{0, -1} {
				proxy := httputil.NewSingleHostReverseProxy(upstream(t, reply))
				proxy.FlushInterval = flush
				st := memstore.New(memstore.Config{})
				s := n.over(st, onceward.Config{}, oncehttp.Config{}, proxy.ServeHTTP)
				if got, ok := success(s, s.request("k", "x", nil)); ok {
					t.Errorf("%s, flush %v: the client took a cut reply for whole: %s", name, flush, got)
				}
				wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
				s.ranTimes(1)
			}
		}
	})
}

func TestHTTPAShortContentLengthIsNeverDone(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for _, flush := range []bool{false, true} {
			s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				fmt.Fprint(w, "cut")
				if flush {
					w.(http.Flusher).Flush()
				}
			})
			s.cutOff(s.request("k", "x", nil))
			wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
			s.ranTimes(1)
		}
	})
}

func TestHTTPALongBodyIsNeverDone(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			if _, err := fmt.Fprint(w, "too long"); !errors.Is(err, http.ErrContentLength) {
				t.Errorf("got %v", err)
			}
		})
		s.cutOff(s.request("k", "x", nil))
		wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
	})
}

func TestHTTPAbortHandlerIsADoubt(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for _, before := range []func(http.ResponseWriter){
			func(http.ResponseWriter) {},
			func(w http.ResponseWriter) { fmt.Fprint(w, "written") },
			func(w http.ResponseWriter) { fmt.Fprint(w, "flushed"); w.(http.Flusher).Flush() },
			func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent); w.(http.Flusher).Flush() },
		} {
			s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				before(w)
				panic(http.ErrAbortHandler)
			})
			s.cutOff(s.request("k", "x", nil))
			wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
			s.ranTimes(1)
		}
	})
}

// A status that net/http would refuse must not become the record's: every replay would panic.
func TestHTTPAnInvalidStatusIsThePanicOfItsHandler(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for _, status := range []int{-1, 0, 99, 1000} {
			s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				defer func() {
					if recover() == nil {
						t.Errorf("status %d was taken", status)
					}
					panic(http.ErrAbortHandler)
				}()
				w.WriteHeader(status)
			})
			s.cutOff(s.request("k", "x", nil))
			wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
		}
	})
}
