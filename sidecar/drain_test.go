package sidecar

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward/store/memstore"
)

// runProxy starts the whole on free ports. stop is SIGTERM; ended gets what Run returns.
func runProxy(t *testing.T, upstream string, change func(*Config)) (url string, log *logLines, stop func(), ended chan error) {
	t.Helper()
	cfg := Default()
	cfg.Upstream, cfg.Scope, cfg.Listen, cfg.Admin = upstream, "header:X-User", "127.0.0.1:0", "127.0.0.1:0"
	change(&cfg)
	log = newLines()
	p, err := New(t.Context(), memstore.New(memstore.Config{}), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	ended = make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return log.find(t, "url="), log, stop, ended
}

// stream reads the beginning of a reply without a length, and sends on when it is over.
func stream(t *testing.T, req string, address string) (over chan error) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, req+"Host: x\r\n\r\n")
	lines := bufio.NewReader(conn)
	for line := ""; !strings.Contains(line, "tick"); {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	over = make(chan error, 1)
	go func() {
		rest, err := io.ReadAll(lines)
		if strings.HasSuffix(string(rest), "0\r\n\r\n") {
			err = fmt.Errorf("a stream that was cut looks whole")
		}
		over <- err
	}()
	return over
}

// Streams that would never end are cut off early, and everything else has the whole drain.
func TestStreamsDoNotHoldTheDrain(t *testing.T) {
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	up := serving(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "tick\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/socket":
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\ntick\n")
			rw.Flush()
			_, _ = io.Copy(io.Discard, rw)
		default:
			arrived <- struct{}{}
			<-release
			fmt.Fprint(w, "whole")
		}
	})
	url, log, stop, ended := runProxy(t, up.URL, func(c *Config) { c.Drain, c.StreamDrain = 20*time.Second, time.Millisecond })
	address := strings.TrimPrefix(url, "http://")
	events := stream(t, "GET /events HTTP/1.1\r\n", address)
	socket := stream(t, "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", address)
	b := &bench{t: t, url: url}
	keyed, unkeyed := make(chan answer, 1), make(chan answer, 1)
	go func() { keyed <- b.post("k", "x") }()
	go func() { unkeyed <- b.send("GET", "/", "") }()
	<-arrived
	<-arrived
	stop()
	for name, over := range map[string]chan error{"events": events, "socket": socket} {
		if err := <-over; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	close(release)
	b.expect(<-keyed, 200, "saved")
	if a := <-unkeyed; !a.is(200) || a.body != "whole" {
		t.Errorf("what is not keyed: %d %q %v", a.StatusCode, a.body, a.err)
	}
	log.find(t, "streams were cut off")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A keyed request that takes longer than the drain is cut off, and whoever started the process is told.
func TestLimitTheDrainCutsOff(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	up := serving(t, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-release })
	defer close(release)
	url, _, stop, ended := runProxy(t, up.URL, func(c *Config) { c.Drain = time.Millisecond })
	answered := make(chan answer, 1)
	go func() { answered <- (&bench{t: t, url: url}).post("k", "x") }()
	<-arrived
	stop()
	if a := <-answered; a.err == nil {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if err := <-ended; !errors.Is(err, ErrCutOff) {
		t.Error(err)
	}
}

// A client that does not read its stream cannot hold the drain either.
func TestAStreamNobodyReadsDoesNotHoldTheDrain(t *testing.T) {
	full := make(chan struct{})
	up := serving(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // by then every buffer up to the client is full
		for err := error(nil); err == nil; {
			_, err = w.Write(make([]byte, 1<<20))
		}
		close(full)
		<-r.Context().Done()
	})
	const drain = 5 * time.Second
	url, _, stop, ended := runProxy(t, up.URL, func(c *Config) { c.Drain, c.StreamDrain = drain, 0 })
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-full
	began := time.Now()
	stop()
	if err := <-ended; err != nil || time.Since(began) >= drain {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// A download without a key that outlasts the drain is no damage to any record, and no failure.
func TestADownloadThatOutlastsTheDrainIsNoFailure(t *testing.T) {
	release := make(chan struct{})
	up := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(make([]byte, 100_000)) // more than the proxy keeps before it passes something on
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	defer close(release)
	for range 3 {
		url, _, stop, ended := runProxy(t, up.URL, func(c *Config) { c.Drain = 10 * time.Millisecond })
		req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("it was not cut off")
		}
		resp.Body.Close()
	}
}

// late is a writer that nobody may touch after its handler has returned.
type late struct {
	http.ResponseWriter
	touched int
}

func (l *late) SetWriteDeadline(time.Time) error { l.touched++; return nil }

// A stream that ends while it is cut off leaves its writer alone: over HTTP/2 it would be the end of the process, or of another's stream.
func TestAnEndedStreamIsLeftAlone(t *testing.T) {
	w := &late{ResponseWriter: httptest.NewRecorder()}
	r, done := newStreams(time.Hour).follow(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	on := streamedOf(r.Context())
	if on.cutOff(w); w.touched != 1 {
		t.Errorf("%d: a stream is not cut off", w.touched)
	}
	done()
	if on.cutOff(w); w.touched != 1 {
		t.Error("the writer was touched after its handler had returned")
	}
}

// What has an end of its own has all of the drain, however long it takes; what has none is cut off.
func TestWhatHasAnEndIsNotCut(t *testing.T) {
	for length, cut := range map[int64]bool{5: false, 0: false, -1: true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStreams(time.Second)
			r, done := s.follow(&late{ResponseWriter: httptest.NewRecorder()}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			if err := s.began(&http.Response{StatusCode: 200, ContentLength: length, Request: r, Header: http.Header{}}); err != nil {
				t.Fatal(err)
			}
			s.drain()
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := r.Context().Err() != nil; got != cut {
				t.Errorf("length %d: cut off %v", length, got)
			}
			done()
		})
	}
}
