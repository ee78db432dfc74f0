package sidecar

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What has no key goes through as it comes, in both directions, before either side has ended.
func TestUnkeyedRequestsStream(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		w.Header().Set("Trailer", "X-End")
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "%s!\n", lines.Text())
			_ = control.Flush()
		}
		w.Header().Set("X-End", "yes")
	}))
	t.Cleanup(up.Close)
	b := start(t, up.URL, func(c *Config) { c.Key, c.MaxBody = KeyOptional, 1 })
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	for name, transport := range map[string]*http.Transport{"HTTP/1.1": {}, "h2c": {Protocols: &protocols}} {
		t.Run(name, func(t *testing.T) {
			defer transport.CloseIdleConnections()
			body, write := io.Pipe()
			req, _ := http.NewRequestWithContext(t.Context(), "POST", b.url, body)
			go func() { fmt.Fprintln(write, "one") }()
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			lines := bufio.NewReader(resp.Body)
			for _, word := range []string{"one", "two", "three"} {
				if got, err := lines.ReadString('\n'); got != word+"!\n" {
					t.Fatalf("%q, %v", got, err)
				}
				switch word {
				case "one":
					fmt.Fprintln(write, "two")
				case "two":
					fmt.Fprintln(write, "three")
				}
			}
			write.Close()
			if _, err := lines.ReadString('\n'); err != io.EOF || resp.Trailer.Get("X-End") != "yes" {
				t.Errorf("%v, trailers %v", err, resp.Trailer)
			}
		})
	}
}

func TestOtherMethodsPassWithTheirKey(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, nil)
	for range 2 {
		if a := b.send("PUT", "/x?a=%zz;b", "hello", "Idempotency-Key: k"); !a.is(201) || a.outcome() != "" {
			t.Errorf("%d %q", a.StatusCode, a.outcome())
		}
	}
	seen := up.arrived()
	if len(seen) != 2 || seen[0].URL.RawQuery != "a=%zz;b" || seen[0].Header.Get("Idempotency-Key") != "k" {
		t.Errorf("%d arrived", len(seen))
	}
}

func TestWebSocketsPass(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		rw.Flush()
		line, _ := rw.ReadString('\n')
		fmt.Fprint(rw, strings.ToUpper(line))
		rw.Flush()
	}))
	t.Cleanup(up.Close)
	b := start(t, up.URL, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	lines := bufio.NewReader(conn)
	resp, err := http.ReadResponse(lines, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v %v", resp, err)
	}
	fmt.Fprintln(conn, "hello")
	if got, err := lines.ReadString('\n'); got != "HELLO\n" {
		t.Errorf("%q %v", got, err)
	}
}

// Keyed requests over HTTP/2 on both sides, with trailers in the reply and its replay.
func TestKeyedOverHTTP2(t *testing.T) {
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.Copy(w, r.Body)
		fmt.Fprint(w, " over ", r.Proto)
		w.Header().Set("X-Sum", "42")
	}))
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	up.Config.Protocols = &protocols
	up.Start()
	t.Cleanup(up.Close)
	b := start(t, strings.Replace(up.URL, "http://", "h2c://", 1), nil)
	client := &http.Client{Transport: &http.Transport{Protocols: &protocols}}
	defer client.CloseIdleConnections()
	for i := range 2 {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", b.url, strings.NewReader("hello"))
		req.Header.Set("Idempotency-Key", "k")
		req.Header.Set("X-User", "alice")
		a := read(client, req)
		if !a.is(200) || a.body != "hello over HTTP/2.0" || a.Trailer.Get("X-Sum") != "42" || a.replayed() != (i == 1) {
			t.Errorf("%d %q, trailers %v, %v", a.StatusCode, a.body, a.Trailer, a.err)
		}
	}
}

// A connection over TLS, where the proxy speaks HTTP/2 by ALPN, is watched as well.
func TestAnUpstreamOverTLS(t *testing.T) {
	for _, h2 := range []bool{true, false} {
		up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.ProtoMajor) }))
		up.EnableHTTP2 = h2
		up.StartTLS()
		t.Cleanup(up.Close)
		b := start(t, up.URL, nil)
		b.proxy.up.transport.TLSClientConfig = &tls.Config{RootCAs: up.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
		want := map[bool]string{true: "2", false: "1"}[h2]
		if a := b.post("k", "x"); !a.is(200) || a.body != want {
			t.Errorf("%d %q %v", a.StatusCode, a.body, a.err)
		}
	}
}

func TestWhereARequestComesFrom(t *testing.T) {
	up := serving(t, nil)
	ask := []string{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example", "Forwarded: for=1.2.3.4;proto=https", "X-Forwarded-Prefix: /x", "X_Forwarded_For: 6.6.6.6", "X-Real_IP: 6.6.6.6"}
	for _, trusted := range []bool{true, false} {
		b := start(t, up.URL, func(c *Config) {
			c.Scope = "global"
			if !trusted {
				c.TrustedPeers = nil
			}
		})
		b.send("GET", "/", "", ask...)
		seen := up.arrived()
		h := seen[len(seen)-1].Header
		host := strings.TrimPrefix(b.url, "http://")
		own := fmt.Sprintf("for=127.0.0.1;host=%q;proto=http", host)
		want := map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": host, "Forwarded": own, "X-Forwarded-Prefix": ""}
		if trusted {
			want = map[string]string{
				"X-Forwarded-For": "1.2.3.4, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example",
				"Forwarded": "for=1.2.3.4;proto=https, " + own, "X-Forwarded-Prefix": "/x",
			}
		}
		for name := range h {
			if strings.Contains(name, "_") {
				t.Errorf("trusted %v: %s got through, which CGI takes for another", trusted, name)
			}
		}
		for name, value := range want {
			if got := strings.Join(h.Values(name), ", "); got != value {
				t.Errorf("trusted %v: %s is %q, want %q", trusted, name, got, value)
			}
		}
		if seen[len(seen)-1].Host != host {
			t.Errorf("Host is %q, want the client's", seen[len(seen)-1].Host)
		}
	}
}

// A client that leaves ends an unkeyed exchange, and never a keyed one.
func TestAKeyedRequestOutlivesItsClient(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := serving(t, func(w http.ResponseWriter, _ *http.Request) { arrived <- struct{}{}; <-release; w.WriteHeader(201) })
	b := start(t, up.URL, nil)
	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "POST", b.url+"/orders", strings.NewReader("x"))
	req.Header.Set("Idempotency-Key", "k")
	req.Header.Set("X-User", "alice")
	gone := make(chan answer)
	go func() { gone <- read(http.DefaultClient, req) }()
	<-arrived
	leave()
	<-gone
	close(release)
	a := b.post("k", "x") // joins the one that runs, or is given its reply
	if !a.is(201) || !a.replayed() || len(up.arrived()) != 1 {
		t.Errorf("%d, replayed %v, %d arrived", a.StatusCode, a.replayed(), len(up.arrived()))
	}
}
