package oncehttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

func TestHTTPFlushGoesOutWhileTheHandlerRuns(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		gate := make(chan struct{})
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "one ")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "two ")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			select {
			case <-gate:
			case <-time.After(5 * time.Second):
				t.Error("what was flushed did not come")
			}
			fmt.Fprint(w, "three")
		})
		resp, err := s.Client().Do(s.request("k", "x", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		head := make([]byte, 8)
		if _, err := io.ReadFull(resp.Body, head); err != nil || string(head) != "one two " {
			t.Fatalf("%q %v", head, err)
		}
		close(gate)
		if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "three" {
			t.Errorf("%q %v", rest, err)
		}
		if a := s.post("k", "x"); a.body != "one two three" {
			t.Errorf("replay %q", a.body)
		}
	})
}

func TestHTTPResponseControllerIsHonest(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			rc := http.NewResponseController(w)
			if err := errors.Join(rc.SetWriteDeadline(time.Now().Add(time.Hour)), rc.SetReadDeadline(time.Now().Add(time.Hour)), rc.EnableFullDuplex()); err != nil {
				t.Error(err)
			}
			fmt.Fprint(w, "done")
		})
		sameReply(t, s.post("k", "x"), s.post("k", "x"))
	})
}

func TestHTTPHijackIsRefused(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			if _, ok := w.(http.Hijacker); ok {
				t.Error("the writer says that it can be hijacked")
			}
			if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("hijacked: %v", err)
			}
			fmt.Fprint(w, "not hijacked")
		})
		if a := s.post("k", "x"); a.body != "not hijacked" {
			t.Errorf("%q", a.body)
		}
	})
}

// What a connection is switched to cannot be saved, and must not be remembered as a reply.
func TestHTTPSwitchingProtocolsIsNeverSaved(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
		})
		s.cutOff(s.request("k", "x", nil))
		wantProblem(t, s.post("k", "x"), 409, "outcome-unknown", false)
	})
}

// plainReader hides everything but Read, so that io.Copy looks for the writer's ReadFrom.
type plainReader struct{ io.Reader }

func TestHTTPReaderFromIsCaptured(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			if m, err := io.Copy(w, plainReader{strings.NewReader("copied")}); m != 6 || err != nil {
				t.Error(m, err)
			}
		})
		first := s.post("k", "x")
		if first.StatusCode != http.StatusCreated || first.body != "copied" {
			t.Errorf("%d %q", first.StatusCode, first.body)
		}
		sameReply(t, first, s.post("k", "x"))
	})
}

func TestHTTPInformationalGoesThroughAndIsNotKept(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, "final")
		})
		hints := 0
		traced := func(r *http.Request) {
			*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					if code == http.StatusEarlyHints && h.Get("Link") != "" {
						hints++
					}
					return nil
				},
			}))
		}
		first := s.send(s.request("k", "x", traced))
		if hints != 1 || first.StatusCode != http.StatusCreated || first.body != "final" || first.Header.Get("Link") != "" {
			t.Errorf("%d hints, then %d %q %v", hints, first.StatusCode, first.body, first.Header)
		}
		sameReply(t, first, s.send(s.request("k", "x", traced)))
		if hints != 1 {
			t.Error("the hint was replayed")
		}
	})
}

func TestHTTPTrailers(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for _, flush := range []bool{true, false} {
			s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", "X-Sum, X-Never")
				fmt.Fprint(w, "body")
				if flush {
					w.(http.Flusher).Flush()
				}
				w.Header().Set("X-Sum", "12")
				w.Header().Add(http.TrailerPrefix+"X-Late", "a")
				w.Header().Add(http.TrailerPrefix+"X-Late", "b")
				w.Header().Set("X-Too-Late", "a header after the body")
			})
			first := s.post("k", "x")
			again := s.post("k", "x")
			for _, a := range []answer{first, again} {
				if a.body != "body" || a.Trailer.Get("X-Sum") != "12" || !equal(a.Trailer.Values("X-Late"), []string{"a", "b"}) || a.Header.Get("X-Too-Late")+a.Trailer.Get("X-Too-Late") != "" {
					t.Errorf("flush %v: %q %v %v", flush, a.body, a.Header, a.Trailer)
				}
			}
		}
	})
}

func TestHTTPHeadPassesUntouched(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4321")
		})
		for range 2 {
			a := s.send(s.request("k", "", func(r *http.Request) { r.Method, r.Body = http.MethodHead, nil }))
			if a.ContentLength != 4321 || a.body != "" || a.Header.Get(oncehttp.HeaderWindow) != "" {
				t.Errorf("%d %q %v", a.ContentLength, a.body, a.Header)
			}
		}
		s.ranTimes(2)
	})
}

func TestHTTPUnkeyedPassesUntouched(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		gate := make(chan struct{})
		s := n.serve(onceward.Config{}, oncehttp.Config{KeyOptional: true, MaxBody: 4}, func(w http.ResponseWriter, r *http.Request) {
			if _, ok := w.(http.Hijacker); ok != !n.h2 {
				t.Errorf("hijacker: %v", ok)
			}
			head := make([]byte, 5)
			if _, err := io.ReadFull(r.Body, head); err != nil { // before the client has sent the rest
				t.Error(err)
			}
			close(gate)
			rest, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s%s %v", head, rest, err)
		})
		pr, pw := io.Pipe()
		go func() {
			_, _ = io.WriteString(pw, "first")
			<-gate
			_, _ = io.WriteString(pw, " second")
			_ = pw.Close()
		}()
		a := s.send(s.request("", "", func(r *http.Request) { r.Body, r.ContentLength = pr, -1 }))
		if a.body != "first second <nil>" || a.Header.Get(oncehttp.HeaderWindow) != "" || a.Header.Get(oncehttp.HeaderOutcome) != "" {
			t.Errorf("%q %v", a.body, a.Header)
		}
	})
}

func TestHTTPHeaderIsFixedByTheFirstWriteHeader(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["X-List"] = []string{"a", "b"}
			w.WriteHeader(http.StatusAccepted)
			w.WriteHeader(http.StatusTeapot)
			w.Header()["X-List"][0] = "changed"
			w.Header().Set("X-After", "no")
			fmt.Fprint(w, "accepted")
		})
		first := s.post("k", "x")
		if first.StatusCode != http.StatusAccepted || !equal(first.Header.Values("X-List"), []string{"a", "b"}) || first.Header.Get("X-After") != "" {
			t.Errorf("%d %v", first.StatusCode, first.Header)
		}
		sameReply(t, first, s.post("k", "x"))
	})
}

// A handler that is itself a client of this protocol may pass on what another server said of another operation.
func TestHTTPProtocolHeadersAreTheGuardsOwn(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for _, flush := range []bool{true, false} {
			s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(oncehttp.HeaderReplayed, "true")
				w.Header().Set(oncehttp.HeaderOutcome, oncehttp.OutcomeSaved)
				w.Header().Set(oncehttp.HeaderWindow, "1")
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprint(w, "cannot tell")
				if flush {
					w.(http.Flusher).Flush()
				}
				w.Header().Set(http.TrailerPrefix+oncehttp.HeaderOutcome, oncehttp.OutcomeSaved)
			})
			a := s.post("k", "x")
			if a.Header.Get(oncehttp.HeaderReplayed) != "" || a.Header.Get(oncehttp.HeaderWindow) != "86400" {
				t.Errorf("flush %v: %v", flush, a.Header)
			}
			said := append(a.Header.Values(oncehttp.HeaderOutcome), a.Trailer.Values(oncehttp.HeaderOutcome)...)
			if !equal(said, []string{oncehttp.OutcomeDoubted}) {
				t.Errorf("flush %v: outcome %q", flush, said)
			}
		}
	})
}

func TestHTTPWritesAfterTheHandlerAreRefused(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		ended, late := make(chan struct{}), make(chan error)
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "in time")
			go func() {
				<-ended
				_, err := fmt.Fprint(w, " late")
				w.(http.Flusher).Flush()
				late <- err
			}()
		})
		first := s.post("k", "x")
		close(ended)
		if err := <-late; err == nil {
			t.Error("a write after the handler's end succeeded")
		}
		if first.body != "in time" {
			t.Errorf("%q", first.body)
		}
		sameReply(t, first, s.post("k", "x"))
	})
}

func TestHTTPConcurrentWritesLoseNothing(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		const writers, each = 8, 100
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			done := make(chan struct{})
			for range writers {
				go func() {
					for range each {
						fmt.Fprint(w, "line\n")
						w.(http.Flusher).Flush()
					}
					done <- struct{}{}
				}()
			}
			for range writers {
				<-done
			}
		})
		first := s.post("k", "x")
		if first.body != strings.Repeat("line\n", writers*each) {
			t.Errorf("%d bytes", len(first.body))
		}
		sameReply(t, first, s.post("k", "x"))
	})
}
