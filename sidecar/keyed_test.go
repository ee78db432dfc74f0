package sidecar

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestReplayIsTheFirstReply(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, nil)
	first := b.post("k1", "hello")
	again := b.post("k1", "hello")
	b.expect(first, 201, "saved")
	b.expect(again, 201, "saved")
	if first.body != "1: hello" || again.body != first.body || first.replayed() || !again.replayed() {
		t.Errorf("%q, then %q", first.body, again.body)
	}
	b.expect(b.post("k2", "hello"), 201, "saved")
	b.expect(b.send("POST", "/orders", "hello", "Idempotency-Key: k1", "X-User: bob"), 201, "saved")
	if other := b.post("k1", "bye"); !other.is(422) {
		t.Errorf("another request under the key: %d", other.StatusCode)
	}
	if n := len(up.arrived()); n != 3 {
		t.Errorf("%d requests arrived, want 3: k1, k2 and bob's k1", n)
	}
}

func TestKeyIsRequiredUnlessOptional(t *testing.T) {
	up := serving(t, nil)
	b := start(t, up.URL, nil)
	if a := b.send("POST", "/", "x", "X-User: alice"); !a.is(400) || !a.says("key-missing") {
		t.Errorf("%d %s", a.StatusCode, a.problem())
	}
	if n := len(up.arrived()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	optional := start(t, up.URL, func(c *Config) { c.Key = KeyOptional })
	optional.expect(optional.send("POST", "/", "x"), 201, "")
}

// Nobody sends a keyed request twice: not at a connection that dies under it, with a body or without, and not at the first of a kept one.
func TestNothingIsSentAgain(t *testing.T) {
	for _, body := range []string{"", "hello", strings.Repeat("x", 300<<10)} {
		up := raw(t, func(n int) (string, bool) {
			if n == 1 {
				return "HTTP/1.1 204 No Content\r\n\r\n", true
			}
			return "", false // dies without a word
		})
		b := start(t, up.url(), func(c *Config) { c.UpstreamIdle = time.Minute })
		b.expect(b.post("first", body), 204, "saved")
		b.expect(b.post("second", body), 502, "doubted")
		if n := up.arrived(); n != 2 {
			t.Errorf("%d bytes: %d requests arrived, want 2", len(body), n)
		}
		if a := b.post("second", body); !a.is(409) || !a.says("outcome-unknown") {
			t.Errorf("the retry: %d %s", a.StatusCode, a.problem())
		}
		if n := up.arrived(); n != 2 {
			t.Errorf("%d bytes: the retry was sent", len(body))
		}
	}
}

func TestWithoutAConnectionTheKeyIsFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	b := start(t, "http://"+address, nil)
	a := b.post("k", "x")
	b.expect(a, 503, "freed") // it has never been there
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	serve := func() (stop func()) {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: &counting{}}
		go func() { _ = s.Serve(l) }()
		return func() { s.Close() }
	}
	stop := serve()
	b.expect(b.post("k", "x"), 201, "saved")
	stop()
	b.proxy.up.transport.CloseIdleConnections()
	a = b.post("k2", "x")
	b.expect(a, 502, "freed")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	defer serve()()
	b.expect(b.post("k2", "x"), 201, "saved")
}

// broken are replies that are not whole.
var broken = map[string]string{
	"nothing":        "",
	"half a header":  "HTTP/1.1 201 Created\r\nContent-Le",
	"short length":   "HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n12345",
	"no last chunk":  "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
	"cut chunk":      "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n12345",
	"no length":      "HTTP/1.0 201 Created\r\n\r\n12345",
	"half a trailer": "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nX-A",
}

func TestACutReplyIsADoubt(t *testing.T) {
	for name, reply := range broken {
		t.Run(name, func(t *testing.T) {
			up := raw(t, func(int) (string, bool) { return reply, false })
			b := start(t, up.url(), nil)
			b.expect(b.post("k", "x"), 502, "doubted")
			if a := b.post("k", "x"); !a.is(409) || a.replayed() || up.arrived() != 1 {
				t.Errorf("the retry: %d %s; %d arrived", a.StatusCode, a.problem(), up.arrived())
			}
			again := start(t, up.url(), func(c *Config) { c.OnLapse = LapseRerun })
			again.expect(again.post("k", "x"), 502, "doubted")
			again.expect(again.post("k", "x"), 502, "doubted")
			if n := up.arrived(); n != 3 {
				t.Errorf("with on-lapse rerun the retry is carried out: %d arrived, want 3", n)
			}
		})
	}
}

// A stream that has begun to leave cannot be taken back: it is cut for the client too, and not kept.
func TestACutStreamIsCutForTheClient(t *testing.T) {
	up := raw(t, func(int) (string, bool) {
		return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", false
	})
	b := start(t, up.url(), nil)
	if a := b.post("k", "x"); a.err == nil {
		t.Errorf("a cut stream looks whole: %d %q", a.StatusCode, a.body)
	}
	if a := b.post("k", "x"); !a.is(409) || up.arrived() != 1 {
		t.Errorf("the retry: %d; %d arrived", a.StatusCode, up.arrived())
	}
}

func TestCloseDelimitedRepliesCanBeKept(t *testing.T) {
	up := raw(t, func(int) (string, bool) { return broken["no length"], false })
	b := start(t, up.url(), func(c *Config) { c.CloseDelimited = true })
	b.expect(b.post("k", "x"), 201, "saved")
	if a := b.post("k", "x"); a.body != "12345" || !a.replayed() {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
}

func TestALateUpstreamIsADoubt(t *testing.T) {
	release := make(chan struct{})
	up := serving(t, func(w http.ResponseWriter, _ *http.Request) { <-release; w.WriteHeader(201) })
	defer close(release)
	b := start(t, up.URL, func(c *Config) { c.Timeout = 300 * time.Millisecond })
	b.expect(b.post("k", "x"), 504, "doubted")
	if a := b.post("k", "x"); !a.is(409) || len(up.arrived()) != 1 {
		t.Errorf("the retry: %d", a.StatusCode)
	}
}

// What a status means is the route's to say.
func TestRoutesSayWhatAStatusMeans(t *testing.T) {
	up := serving(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path[strings.LastIndex(r.URL.Path, "/"):], "/%d", &status)
		w.WriteHeader(status)
	})
	b := start(t, up.URL, func(c *Config) {
		c.Routes = []Route{{Match: "/status/{n}", Save: []int{503}, Free: []int{502, 409}, Doubt: []int{500}}, {Match: "PUT /status/200"}, {Match: "/open/", Key: new(KeyOff)}}
	})
	for status, want := range map[int]string{503: "saved", 502: "freed", 409: "freed", 500: "doubted", 504: "doubted", 422: "saved", 429: "freed"} {
		path := fmt.Sprintf("/status/%d", status)
		b.expect(b.send("POST", path, "", "Idempotency-Key: k"+path, "X-User: alice"), status, want)
	}
	b.expect(b.send("POST", "//status/../status/503", "", "Idempotency-Key: detour", "X-User: alice"), 503, "saved")
	b.expect(b.send("PUT", "/status/200", "", "Idempotency-Key: put", "X-User: alice"), 200, "saved")
	b.expect(b.send("PUT", "/status/201", "", "Idempotency-Key: k", "X-User: alice"), 201, "")
}

// A route's word on a status is about the upstream's replies, not about what the proxy answers in its place.
func TestRoutesDoNotJudgeTheProxysOwnReplies(t *testing.T) {
	statuses := []int{502, 503, 504}
	up := raw(t, func(int) (string, bool) { return "", false })
	for _, route := range []Route{{Match: "/", Free: statuses}, {Match: "/", Save: statuses}} {
		b := start(t, up.url(), func(c *Config) { c.Routes = []Route{route} })
		b.expect(b.post("k", "x"), 502, "doubted")
		gone := start(t, "http://127.0.0.1:1", func(c *Config) { c.Routes = []Route{route} })
		gone.expect(gone.post("k", "x"), 503, "freed")
	}
}

func TestTheUpstreamGetsAChildKey(t *testing.T) {
	up := serving(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504) })
	b := start(t, up.URL, func(c *Config) { c.OnLapse = LapseRerun })
	for _, key := range []string{"a", "a", "b"} {
		b.send("POST", "/", "x", "Idempotency-Key: "+key, "X-User: alice", "Onceward-Child-Key: forged", "Onceward_Child_Key: forged")
	}
	b.send("GET", "/", "", "Onceward-Child-Key: forged", "Onceward_Child_Key: forged")
	var got []string
	for _, r := range up.arrived() {
		got = append(got, r.Header.Get("Onceward-Child-Key")+r.Header.Get("Onceward_child_key"))
	}
	if len(got) != 4 || got[0] == "" || got[0] != got[1] || got[0] == got[2] || got[0] == "forged" || got[3] != "" {
		t.Errorf("child keys %q: want one for each operation, the same in each run, and never the client's", got)
	}
}

func TestOverTheLimitNothingIsLookedAt(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := serving(t, func(w http.ResponseWriter, _ *http.Request) { arrived <- struct{}{}; <-release; w.WriteHeader(201) })
	b := start(t, up.URL, func(c *Config) { c.MaxInFlight = 1 })
	done := make(chan answer)
	go func() { done <- b.post("k", "x") }()
	<-arrived
	a := b.post("k2", "x")
	b.expect(a, 503, "freed")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(release)
	b.expect(<-done, 201, "saved")
}
