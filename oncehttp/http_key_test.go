package oncehttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// wantRecords checks how many records the store holds.
func wantRecords(t *testing.T, st store.Store, want int64) {
	t.Helper()
	stats, err := st.Stats(context.Background(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if got := stats.Claimed + stats.Started + stats.Unknown + stats.Done; got != want {
		t.Errorf("%d records, want %d", got, want)
	}
}

func keys(values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[oncehttp.HeaderKey] = values }
}

func TestHTTPWrongKeysAreRefused(t *testing.T) {
	wrong := map[string][]string{
		"empty": {""}, "blank": {"  "}, "empty in quotes": {`""`}, "10 KB": {strings.Repeat("k", 10<<10)}, "256 characters": {strings.Repeat("k", 256)},
		"tab": {"a\tb"}, "space": {"a b"}, "non-ASCII": {"schlüssel"}, "no UTF-8": {"a\xffb"}, "non-ASCII in quotes": {`"schlüssel"`},
		"doubled": {"k", "k"}, "two": {"k", "j"}, "one and an empty one": {"k", ""}, "an empty one first": {"", "k"},
		"joined by a comma": {"k,k"}, "joined by a comma and a space": {"k, j"}, "quoted and joined": {`"k", "j"`},
		"open quote": {`"k`}, "more after the quote": {`"k"x`}, "parameter": {`"k";a=1`}, "wrong escape": {`"k\n"`},
	}
	eachNetwork(t, func(t *testing.T, n network) {
		for _, optional := range []bool{false, true} { // what is optional is to have a key, not to have a right one
			st := memstore.New(memstore.Config{})
			s := n.over(st, onceward.Config{}, oncehttp.Config{KeyOptional: optional}, created)
			for name, values := range wrong {
				t.Run(name, func(t *testing.T) {
					wantProblem(t, s.send(s.request("", "x", keys(values...))), 400, "key-invalid", false)
				})
			}
			s.ranTimes(0)
			wantRecords(t, st, 0)
		}
	})
}

// A client of net/http does not send control characters; others may. The server refuses them by itself or we do.
func TestHTTPControlCharactersInKeysAreRefused(t *testing.T) {
	s := network{t, false}.serve(onceward.Config{}, oncehttp.Config{KeyOptional: true}, created)
	for _, key := range []string{"a\x00b", "a\x01b", "a\x7fb", "a\x1b[0mb", "a\rb"} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /orders HTTP/1.1\r\nHost: x\r\nX-User: alice\r\nIdempotency-Key: %s\r\nContent-Length: 1\r\n\r\nx", key)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %v %v", key, resp, err)
		}
		conn.Close()
	}
	s.ranTimes(0)
}

func TestHTTPQuotedAndBareAreOneKey(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, created)
		first := s.send(s.request("", "x", keys(`a-key;with:odd/characters`)))
		sameReply(t, first, s.send(s.request("", "x", keys(`"a-key;with:odd/characters"`))))
		sameReply(t, first, s.send(s.request("", "x", keys(` a-key;with:odd/characters `))))
		s.send(s.request("", "x", keys(`"a,key"`)))  // a comma within quotes joins nothing
		s.send(s.request("", "x", keys(`"a\"key"`))) // and a quote within quotes ends nothing
		s.send(s.request("", "x", keys(strings.Repeat("k", 255))))
		s.ranTimes(4)
	})
}

func TestHTTPAnotherPrincipalNeverGetsTheReply(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "for ", r.Header.Get("X-User"))
		})
		for _, user := range []string{"alice", "bob", "Alice", "alice ", "ali", "alice\x00"} {
			if strings.ContainsAny(user, " \x00") {
				continue // not from a header
			}
			as := func(r *http.Request) { r.Header.Set("X-User", user) }
			first := s.send(s.request("k", "x", as))
			if first.body != "for "+user || first.Header.Get(oncehttp.HeaderReplayed) != "" {
				t.Errorf("%s got %q", user, first.body)
			}
			sameReply(t, first, s.send(s.request("k", "x", as)))
		}
		s.ranTimes(4)
	})
}

func TestHTTPEmptyScopeFailsClosed(t *testing.T) {
	scopes := map[string]oncehttp.ScopeFunc{
		"no principal": oncehttp.Principal("orders", func(*http.Request) (string, error) { return "", nil }),
		"no service":   oncehttp.Principal("", func(*http.Request) (string, error) { return "alice", nil }),
		"an error":     oncehttp.Principal("orders", func(*http.Request) (string, error) { return "alice", errors.New("the token has expired") }),
		"nothing":      func(*http.Request) (onceward.Scope, error) { return onceward.Scope{}, nil },
	}
	eachNetwork(t, func(t *testing.T, n network) {
		for name, scope := range scopes {
			st := memstore.New(memstore.Config{})
			guard, err := onceward.New(st, onceward.Config{})
			if err != nil {
				t.Fatal(err)
			}
			once, err := oncehttp.Middleware(guard, scope, oncehttp.Config{})
			if err != nil {
				t.Fatal(err)
			}
			s := &served{t: t, Server: n.listen(once(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error(name, ": executed") })))}
			a := s.post("k", "x")
			wantProblem(t, a, 403, "scope-missing", false)
			if strings.Contains(a.body, "expired") {
				t.Errorf("%s: the cause left the house: %s", name, a.body)
			}
			wantRecords(t, st, 0)
			s.Close()
			_ = guard.Close(t.Context())
		}
	})
}

func TestHTTPBodyOverTheLimitClaimsNothing(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		st := memstore.New(memstore.Config{})
		s := n.over(st, onceward.Config{}, oncehttp.Config{MaxBody: 1000}, created)
		for _, length := range []int64{1001, -1} { // declared, chunked
			a := s.send(s.request("k", "", func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", 1001))), length
			}))
			wantProblem(t, a, 413, "body-too-large", false)
		}
		s.ranTimes(0)
		wantRecords(t, st, 0)
		if a := s.post("k", strings.Repeat("x", 1000)); a.StatusCode != 201 {
			t.Errorf("at the limit: %d", a.StatusCode)
		}
	})
}

// A client that asks to close the connection still gets to read the refusal, although most of its request was not read.
func TestHTTPBodyOverTheLimitIsToldAndNotReset(t *testing.T) {
	s := network{t: t}.serve(onceward.Config{}, oncehttp.Config{MaxBody: 1000}, created)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const length = 300 << 10 // more than net/http reads of its own accord
	head := fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-User: alice\r\nIdempotency-Key: k\r\nContent-Length: %d\r\n\r\n", length)
	if _, err := io.WriteString(conn, head+strings.Repeat("x", 32<<10)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(text), "#body-too-large") {
		t.Errorf("got %q, then %v", text, err)
	}
}

func TestHTTPKeyInTheBody(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		for _, optional := range []bool{false, true} {
			s := n.serve(onceward.Config{}, oncehttp.Config{KeyField: "request_id", KeyOptional: optional}, created)
			first := s.post("", `{"a":{"request_id":"inner"},"request_id":"k"}`)
			sameReply(t, first, s.post("", `{"a":{"request_id":"inner"},"request_id":"k"}`))
			sameReply(t, first, s.post("k", `{"a":{"request_id":"inner"},"request_id":"k"}`)) // the header says the same
			wantProblem(t, s.post("", `{"a":2,"request_id":"k"}`), 422, "key-reused", false)
			s.ranTimes(1)
			for name, body := range map[string]string{
				"twice": `{"request_id":"k","request_id":"j"}`, "empty": `{"request_id":""}`, "a number": `{"request_id":7}`, "an object": `{"request_id":{}}`,
				"too long": `{"request_id":"` + strings.Repeat("k", 256) + `"}`, "a control character": `{"request_id":"a\u0000b"}`,
				"two values": `{"request_id":"k"}{"request_id":"j"}`, "cut": `{"request_id":"k"`, "cut after it": `{"request_id":"k","a":`,
			} {
				t.Run(name, func(t *testing.T) { wantProblem(t, s.post("", body), 400, "key-invalid", false) })
			}
			s.ranTimes(1)
			for name, body := range map[string]string{"absent": `{"a":1}`, "null": `{"request_id":null}`, "an array": `["request_id","k"]`, "no JSON": `request_id=k`} {
				a := s.post("", body)
				if !optional {
					wantProblem(t, a, 400, "key-missing", false)
				} else if a.StatusCode != 201 || a.body != "created "+body || a.Header.Get(oncehttp.HeaderWindow) != "" {
					t.Errorf("%s: %d %q %v", name, a.StatusCode, a.body, a.Header)
				}
			}
		}
	})
}
