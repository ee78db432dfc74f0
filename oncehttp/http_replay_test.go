package oncehttp_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// pattern is n bytes of which no part looks like another.
func pattern(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := 0; len(b) < n; i++ {
		b = append(strconv.AppendInt(b, int64(i), 36), '\n')
	}
	return b[:n]
}

func TestHTTPReplaysEveryShapeOfReply(t *testing.T) {
	shapes := map[string]http.HandlerFunc{
		"204":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"304": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"v1"`)
			w.WriteHeader(http.StatusNotModified)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/orders/7")
			w.WriteHeader(http.StatusSeeOther)
		},
		"empty body":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) },
		"empty, declared":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") },
		"204 flushed":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); w.(http.Flusher).Flush() },
		"flushed, no body": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"flushed, no type": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); fmt.Fprint(w, "<html>") },
		"type taken away": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "<html>")
		},
		"type guessed": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"encoded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			fmt.Fprint(w, "x")
		},
		"written in pieces": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a"); fmt.Fprint(w, "<html>") },
		"multi-value headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Link"] = []string{"<c>", "<a>", "<b>", "<a>"}
			w.Header().Set("Vary", "Accept, Origin")
			w.Header().Set("X-Empty", "")
			fmt.Fprint(w, "linked")
		},
		"declared and flushed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "8")
			fmt.Fprint(w, "four")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "more")
			w.(http.Flusher).Flush()
		},
		"flushed often": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 20 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
			}
		},
	}
	eachNetwork(t, func(t *testing.T, n network) {
		for name, shape := range shapes {
			t.Run(name, func(t *testing.T) {
				n := network{t, n.h2}
				s := n.serve(onceward.Config{}, oncehttp.Config{}, shape)
				s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				sameReply(t, s.post("k", "x"), s.post("k", "x"))
				s.ranTimes(1)
			})
		}
	})
}

func TestHTTPReplaysLargeReplies(t *testing.T) {
	all := pattern(20 << 20)
	eachNetwork(t, func(t *testing.T, n network) {
		for size, flushes := range map[int][]bool{1_000_000: {false, true}, 20 << 20: {n.h2}} {
			for _, flush := range flushes {
				want := all[:size]
				s := n.serve(onceward.Config{MaxReply: size + 1000}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
					for rest := want; len(rest) > 0; {
						m, _ := w.Write(rest[:min(len(rest), 1<<18)])
						rest = rest[m:]
						if flush {
							w.(http.Flusher).Flush()
						}
					}
				})
				first := s.post("k", "x")
				if !bytes.Equal([]byte(first.body), want) {
					t.Errorf("%d bytes became %d", size, len(first.body))
				}
				sameReply(t, first, s.post("k", "x"))
				s.ranTimes(1)
			}
		}
	})
}

func TestHTTPReplyOverTheLimitIsATombstone(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		want := pattern(200_000)
		for name, prepare := range map[string]func(http.ResponseWriter){
			"chunked":  func(http.ResponseWriter) {},
			"declared": func(w http.ResponseWriter) { w.Header().Set("Content-Length", strconv.Itoa(len(want))) },
			"rejected": func(w http.ResponseWriter) { w.WriteHeader(http.StatusConflict) },
		} {
			s := n.serve(onceward.Config{MaxReply: 10_000}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				prepare(w)
				for rest := want; len(rest) > 0; rest = rest[min(len(rest), 3000):] {
					_, _ = w.Write(rest[:min(len(rest), 3000)])
				}
			})
			if a := s.post("k", "x"); !bytes.Equal([]byte(a.body), want) {
				t.Errorf("%s: the first caller got %d bytes", name, len(a.body))
			}
			wantProblem(t, s.post("k", "x"), 409, "reply-not-kept", false)
			s.ranTimes(1)
		}
	})
}

// A reply that is free or in doubt goes to its caller whole, whatever its size, and is no other caller's.
func TestHTTPLargeReplyThatIsNotSaved(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		want := pattern(50_000)
		s := n.serve(onceward.Config{MaxReply: 10_000}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTooManyRequests)
			for rest := want; len(rest) > 0; rest = rest[5000:] {
				_, _ = w.Write(rest[:5000])
			}
		})
		for range 2 {
			if a := s.post("k", "x"); a.StatusCode != 429 || !bytes.Equal([]byte(a.body), want) {
				t.Errorf("%d with %d bytes", a.StatusCode, len(a.body))
			}
		}
		s.ranTimes(2)
	})
}

func TestHTTPDroppedHeaders(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		dropped := map[string]string{
			"Set-Cookie": "session=secret", "Www-Authenticate": "Basic", "Proxy-Authenticate": "Basic", "Authentication-Info": "x",
			"X-Route-Own": "1", "Date": "Mon, 01 Jan 2001 00:00:00 GMT",
		}
		cfg := oncehttp.Config{DropHeaders: []string{"x-route-own"}, KeepHeaders: []string{"proxy-authenticate"}}
		s := n.serve(onceward.Config{}, cfg, func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range dropped {
				w.Header().Set(name, value)
			}
			w.Header().Set("X-Stays", "1")
			fmt.Fprint(w, "x")
		})
		first, again := s.post("k", "x"), s.post("k", "x")
		for name, value := range dropped {
			if first.Header.Get(name) != value {
				t.Errorf("the first reply's %s is %q", name, first.Header.Get(name))
			}
			if kept := again.Header.Get(name) == value; kept != (name == "Proxy-Authenticate") {
				t.Errorf("the replay's %s is %q", name, again.Header.Get(name))
			}
		}
		if again.Header.Get("X-Stays") != "1" {
			t.Error("a header of the reply is missing")
		}
	})
}

// Outer middleware speaks anew at each send: its headers are neither saved nor lost, and do not pile up.
func TestHTTPOuterHeadersAreNotSaved(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer guard.Close(t.Context())
		once, err := oncehttp.Middleware(guard, byUser, oncehttp.Config{})
		if err != nil {
			t.Fatal(err)
		}
		sends := 0
		inner := once(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Vary", "Accept")
			fmt.Fprint(w, "x")
		}))
		s := &served{t: t, Server: n.listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sends++
			w.Header().Set("X-Request-Id", strconv.Itoa(sends))
			w.Header().Set("Vary", "Origin")
			inner.ServeHTTP(w, r)
		}))}
		defer s.Close()
		for i := range 3 {
			a := s.post("k", "x")
			if a.Header.Get("X-Request-Id") != strconv.Itoa(i+1) || strings.Join(a.Header.Values("Vary"), ",") != "Origin,Accept" {
				t.Errorf("send %d: %v", i+1, a.Header)
			}
		}
	})
}
