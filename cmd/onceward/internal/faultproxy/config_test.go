package faultproxy

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Each fault is told by its flag, all at once.
func TestConfigNamesEveryFlagThatIsWrong(t *testing.T) {
	_, err := New(Config{
		Listen: "9000", Upstream: "ftp://x", LoseRequest: -1, LoseReply: 0.7, Cut: 0.6, Reset: math.NaN(), Hang: 2, Duplicate: 1.1,
		Delay: "0.5", HangLimit: 2 * time.Hour, Only: []string{"/fine/", "/transfers/*"}, Identity: "a b", MaxBody: -1, MaxExchanges: -1, Grace: -1,
	})
	if !errors.Is(err, ErrConfig) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		`--listen is "9000": use host:port`, `--upstream is "ftp://x": use http://`, "--lose-request is -1: use a probability",
		"--reset is NaN", "--hang is 2", "--duplicate is 1.1", "--lose-reply 0.7 --cut 0.6 are 1.3", `--delay is "0.5": use`,
		"--hang-limit is 2h0m0s", `--only "/transfers/*" is refused`, `--identity is "a b"`, "--max-body is -1", "--max-exchanges is -1", "--grace is -1ns",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "/fine/") {
		t.Errorf("a good pattern is refused:\n%v", err)
	}
}

func TestUpstreamIsChecked(t *testing.T) {
	for text, good := range map[string]bool{
		"http://127.0.0.1:8080": true, "https://bank.example/base": true, "http://[::1]:80": true,
		"": false, "127.0.0.1:8080": false, "bank.example": false, "http://": false, "http://:80": false, "unix:/socket": false,
		"http://bank.example/?q": false, "http://bank.example/#f": false, "http://user:secret@bank.example": false, "http://secret%zz@x": false,
	} {
		_, err := Config{Upstream: text}.upstream()
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "--upstream") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: the error does not name the flag, or tells a password: %v", text, err)
		}
	}
}

func TestDelayIsRead(t *testing.T) {
	if d, err := (Config{Delay: "0.25:10ms-2s"}).delay(); err != nil || d != (lateness{0.25, 10 * time.Millisecond, 2 * time.Second}) {
		t.Errorf("%v, %v", d, err)
	}
	for _, text := range []string{"0.2", "0.2:1s", "0.2:2s-1s", "0.2:-1s-1s", "0.2:1-2", ":1s-2s", "0.2:1s-2h", "x:1s-2s", "0.2:1s-2s-3s"} {
		if d, err := (Config{Delay: text}).delay(); err == nil || !strings.Contains(err.Error(), "--delay") {
			t.Errorf("%q: %v, %v", text, d, err)
		}
	}
}

func TestARequestCannotGoRoundInACircle(t *testing.T) {
	addr := func(text string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, tt := range []struct {
		upstream, listen string
		circle           bool
	}{
		{"http://127.0.0.1:9000", "127.0.0.1:9000", true},
		{"http://localhost:9000", "127.0.0.1:9000", true},
		{"http://localhost:9000", "[::]:9000", true},
		{"http://127.0.0.1:9000", "[::]:9000", true},
		{"http://127.0.0.1", "127.0.0.1:80", true},
		{"https://127.0.0.1", "127.0.0.1:443", true},
		{"http://127.0.0.1:9001", "127.0.0.1:9000", false},
		{"http://127.0.0.2:9000", "127.0.0.1:9000", false},
		{"http://192.0.2.1:9000", "[::]:9000", false},
		{"http://bank.example:9000", "127.0.0.1:9000", false},
	} {
		u, err := url.Parse(tt.upstream)
		if err != nil {
			t.Fatal(err)
		}
		if got := leadsTo(u, addr(tt.listen)); got != tt.circle {
			t.Errorf("%s from %s: %v", tt.upstream, tt.listen, got)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().String()
	l.Close()
	if _, err := New(Config{Listen: port, Upstream: "http://" + port}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "in a circle") {
		t.Errorf("New: %v", err)
	}
	if again, err := net.Listen("tcp", port); err != nil {
		t.Errorf("the refused proxy still listens: %v", err)
	} else {
		again.Close()
	}
}

func TestOtherMachinesAreWarnedOf(t *testing.T) {
	for listen, warned := range map[string]bool{"127.0.0.1:0": false, "localhost:0": false, "0.0.0.0:0": true, ":0": true} {
		var said notes
		p, err := New(Config{Listen: listen, Upstream: "http://127.0.0.1:1", Notes: &said})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := p.Run(ctx, io.Discard); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(said.String(), "WARNING: --listen "+listen); got != warned {
			t.Errorf("%s: warned %v:\n%s", listen, got, said.String())
		}
	}
}

// A connection that was opened and never used is nothing that is under way.
func TestAnUnusedConnectionIsNotCutOff(t *testing.T) {
	p, end := run(t, Config{Upstream: "http://127.0.0.1:1", Grace: 10 * time.Millisecond}, io.Discard)
	resp, _ := get(t, p, "GET / HTTP/1.1\nHost: h\n\n") // it has been served: whoever connects now is accepted in time
	if resp.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", resp.StatusCode)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := end(); err != nil {
		t.Error(err)
	}
}

// What is under way at the end may finish within the grace, and is cut off after it.
func TestGraceIsKept(t *testing.T) {
	for _, grace := range []time.Duration{time.Minute, time.Nanosecond} {
		arrived, release := make(chan struct{}), make(chan struct{})
		upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-release
			_, _ = io.WriteString(w, "done")
		}))
		p, err := New(Config{Listen: "127.0.0.1:0", Upstream: upstream.URL, Grace: grace})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx, io.Discard) }()
		answered := make(chan string, 1)
		go func() {
			resp, err := http.Get(p.URL()) // ends with the upstream
			if err != nil {
				answered <- "error"
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			answered <- string(body)
		}()
		<-arrived
		stop()
		var want string
		if grace == time.Minute {
			close(release)
			want = "done"
			if err := <-ended; err != nil {
				t.Errorf("grace %v: %v", grace, err)
			}
		} else {
			want = "error"
			if err := <-ended; !errors.Is(err, ErrCutOff) {
				t.Errorf("grace %v: %v, want ErrCutOff", grace, err)
			}
			close(release)
		}
		if got := <-answered; got != want {
			t.Errorf("grace %v: the client got %q, want %q", grace, got, want)
		}
		upstream.Close()
	}
}
