package sidecar

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// seeded returns the seed in ONCEWARD_SEED, or a new one, and prints it.
func seeded(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("ONCEWARD_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ONCEWARD_SEED=%d", seed)
	return seed
}

// moody starts an upstream that reads bodies, or only the beginning of one, answers, and ends the connection if it has not read all. Each reply is its request's
// number. It hands on what no request of the test's has.
func moody(t *testing.T, seed uint64) (url string, strange chan string) {
	t.Helper()
	strange = make(chan string, 1000)
	l := byHand(t, func(n uint64, conn net.Conn) {
		rnd := rand.New(rand.NewPCG(seed, n))
		in := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			number := r.Header.Get("X-Number")
			if number == "" || r.Header.Get("X-User") != "alice" {
				strange <- fmt.Sprintf("%s %s by %q", r.Method, r.URL.Path, r.Header.Get("X-User"))
			}
			some := rnd.Int64N(2000)
			if _, err = io.CopyN(io.Discard, r.Body, some); err == nil && rnd.IntN(4) == 0 {
				return // without a word
			}
			reply := fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", []int{201, 401, 413}[rnd.IntN(3)], len(number), number)
			if rnd.IntN(2) == 0 {
				reply = fmt.Sprintf("HTTP/1.1 404 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(number), number)
			}
			if _, failed := io.WriteString(conn, reply); failed != nil || err == nil {
				return
			}
		}
	})
	return "http://" + l.Addr().String(), strange
}

// shared sends requests one after another on connections that many share, as a gateway's are, and fails unless each gets its own reply, or one of the proxy's.
func shared(t *testing.T, address string, rnd *rand.Rand, name string, requests int) {
	var in *bufio.Reader
	var conn net.Conn
	for n := range requests {
		if conn == nil {
			var d net.Dialer
			var err error
			if conn, err = d.DialContext(t.Context(), "tcp", address); err != nil {
				t.Error(err)
				return
			}
			in = bufio.NewReader(conn)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		number := fmt.Sprintf("%s-%d", name, n)
		body := strings.Repeat("POST /smuggled HTTP/1.1\r\nHost: x\r\nX-User: bob\r\nIdempotency-Key: k"+number+"\r\nContent-Length: 0\r\n\r\n", rnd.IntN(30))
		method := []string{"PUT", "POST", "PATCH", "DELETE", "GET", "MKCOL"}[rnd.IntN(6)]
		var out bytes.Buffer
		fmt.Fprintf(&out, "%s / HTTP/1.1\r\nHost: x\r\nX-User: alice\r\nX-Number: %s\r\n", method, number)
		if rnd.IntN(2) == 0 {
			fmt.Fprintf(&out, "Idempotency-Key: %s\r\n", number)
		}
		if rnd.IntN(2) == 0 {
			fmt.Fprintf(&out, "Content-Length: %d\r\n\r\n%s", len(body), body)
		} else {
			fmt.Fprintf(&out, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n", len(body)+1, body+"\n")
		}
		all := out.Bytes()
		sent := bytes.Index(all, []byte("\r\n\r\n")) + 4
		sent += rnd.IntN(len(all) - sent + 1)
		_, _ = conn.Write(all[:sent])
		late := make(chan struct{})
		go func() { defer close(late); _, _ = conn.Write(all[sent:]) }()
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Errorf("%s %s: %v", method, number, err)
			return
		}
		text, err := io.ReadAll(resp.Body)
		if own := string(text) == number || strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem"); err != nil || !own {
			t.Errorf("%s %s got %d %.60q, %v", method, number, resp.StatusCode, text, err)
		}
		if <-late; resp.Close {
			conn.Close()
			conn = nil
		}
	}
	if conn != nil {
		conn.Close()
	}
}

// Whatever the upstream leaves of whichever body, each request gets its own reply, and no body is a request.
func TestASharedConnectionMixesNothingUp(t *testing.T) {
	seed, requests := seeded(t), 60
	if os.Getenv("ONCEWARD_SOAK") != "" {
		requests = 5000
	}
	url, strange := moody(t, seed)
	b := start(t, url, func(c *Config) { c.Key = KeyOptional })
	var gateways sync.WaitGroup
	for n := range uint64(6) {
		gateways.Go(func() {
			shared(t, strings.TrimPrefix(b.url, "http://"), rand.New(rand.NewPCG(seed, ^n)), fmt.Sprint(n), requests)
		})
	}
	gateways.Wait()
	for range len(strange) {
		t.Error("arrived: " + <-strange)
	}
}
