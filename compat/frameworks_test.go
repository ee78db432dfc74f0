package compat

import (
	"bufio"
	"context"
	"net/http"
	"testing"

	"github.com/onceward/onceward/oncehttp"
)

// Every framework passes the same cases.
func TestFrameworks(t *testing.T) {
	cases := []struct {
		name string
		run  func(*testing.T, framework)
	}{
		{"replay", replays},
		{"other body", refusesOtherBody},
		{"duplicates", runsDuplicatesOnce},
		{"refusals", answersRefusals},
		{"panic", survivesPanic},
		{"hang-up", survivesHangUp},
		{"stream", streams},
		{"cut stream", cutsStream},
		{"unguarded", leavesOthersAlone},
	}
	for _, f := range frameworks {
		for _, c := range cases {
			t.Run(f.name+"/"+c.name, func(t *testing.T) { c.run(t, f) })
		}
	}
}

const tea = `{"item":"tea"}`

func replays(t *testing.T, f framework) {
	s := open(t, f)
	first := s.post("/orders", "k", tea)
	again := s.post("/orders", `"k"`, tea)
	want(t, "first", first, http.StatusCreated, "")
	want(t, "again", again, http.StatusCreated, "")
	if first.replayed() || !again.replayed() {
		t.Errorf("replayed: %v, %v", first.header, again.header)
	}
	if first.body == "" || again.body != first.body {
		t.Errorf("first %q, again %q", first.body, again.body)
	}
	for _, a := range []answer{first, again} {
		if a.header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeSaved {
			t.Errorf("outcome: %v", a.header)
		}
		for _, name := range []string{"Location", "Content-Type"} {
			if v := a.header.Get(name); v == "" || v != first.header.Get(name) {
				t.Errorf("%s: %q, first %q", name, v, first.header.Get(name))
			}
		}
	}
	s.shop.wantOrders(t, 1)
}

func refusesOtherBody(t *testing.T, f framework) {
	s := open(t, f)
	want(t, "first", s.post("/orders", "k", tea), http.StatusCreated, "")
	want(t, "other body", s.post("/orders", "k", `{"item":"coffee"}`), http.StatusUnprocessableEntity, "key-reused")
	want(t, "no key", s.post("/orders", "", tea), http.StatusBadRequest, "key-missing")
	s.shop.wantOrders(t, 1)
}

func runsDuplicatesOnce(t *testing.T, f framework) {
	s := open(t, f)
	const copies = 20
	answers := make(chan answer, copies)
	for range copies {
		go func() { answers <- s.post("/orders", "k", `{"item":"tea","do":"wait"}`) }()
	}
	for range copies {
		<-s.arrived
	}
	<-s.shop.begun
	close(s.shop.gate)
	first := <-answers
	want(t, "a copy", first, http.StatusCreated, "")
	for range copies - 1 {
		a := <-answers
		want(t, "a copy", a, http.StatusCreated, "")
		if a.body != first.body {
			t.Errorf("two replies: %q, %q", first.body, a.body)
		}
	}
	s.shop.wantOrders(t, 1)
}

// What the framework makes of a handler's error is the reply: a 404 is saved, a 401 frees the key.
func answersRefusals(t *testing.T, f framework) {
	s := open(t, f)
	for range 2 {
		a := s.post("/orders", "sold-out", `{"do":"sold out"}`)
		want(t, "sold out", a, http.StatusNotFound, "")
		if a.header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeSaved || a.body == "" {
			t.Errorf("sold out: %v %q", a.header, a.body)
		}
	}
	s.shop.wantOrders(t, 1)
	for range 2 {
		a := s.post("/orders", "log-in", `{"do":"log in"}`)
		want(t, "log in", a, http.StatusUnauthorized, "")
		if a.header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeFreed || a.replayed() {
			t.Errorf("log in: %v", a.header)
		}
	}
	s.shop.wantOrders(t, 3)
}

// A panic leaves the outcome unknown, and the framework's recoverer answers as always.
func survivesPanic(t *testing.T, f framework) {
	s := open(t, f)
	first := s.post("/orders", "k", `{"do":"panic"}`)
	if f.panicked == 0 && first.err == nil || first.status != f.panicked {
		t.Errorf("the panic was answered %d %v %v, want %d", first.status, first.header, first.err, f.panicked)
	}
	want(t, "again", s.post("/orders", "k", `{"do":"panic"}`), http.StatusConflict, "outcome-unknown")
	s.shop.wantOrders(t, 1)
}

// A client that hangs up does not stop the handler: the retry gets the reply.
func survivesHangUp(t *testing.T, f framework) {
	s := open(t, f)
	const wait = `{"item":"tea","do":"wait"}`
	ctx, hangUp := context.WithCancel(context.Background())
	gone := make(chan answer, 1)
	go func() { gone <- send(request(t, s.URL+"/orders", "k", wait).WithContext(ctx)) }()
	arrived := <-s.arrived
	<-s.shop.begun
	hangUp()
	if a := <-gone; a.err == nil {
		t.Fatal("the client did not hang up")
	}
	<-arrived.Context().Done()
	close(s.shop.gate)
	again := s.post("/orders", "k", wait)
	want(t, "again", again, http.StatusCreated, "")
	if !again.replayed() {
		t.Errorf("again: %v", again.header)
	}
	s.shop.wantOrders(t, 1)
}

// What a handler flushes arrives before the handler ends, and is replayed whole.
func streams(t *testing.T, f framework) {
	s := open(t, f)
	line, rest := s.openStream(t)
	if line != "one\n" {
		t.Fatalf("first line %q", line)
	}
	close(s.shop.gate)
	if got, err := rest(); got != "two\n" || err != nil {
		t.Errorf("the rest is %q, %v", got, err)
	}
	again := s.post("/stream", "k", tea)
	want(t, "again", again, http.StatusOK, "")
	if again.body != "one\ntwo\n" || !again.replayed() {
		t.Errorf("again %q %v", again.body, again.header)
	}
	s.shop.wantOrders(t, 1)
}

// A stream whose end could not be saved is cut: its client must not take it for whole.
func cutsStream(t *testing.T, f framework) {
	s := open(t, f)
	_, rest := s.openStream(t)
	s.store.down.Store(true)
	close(s.shop.gate)
	if got, err := rest(); err == nil {
		t.Errorf("the stream ended in good order, with %q", got)
	}
}

// openStream reads the first line of a stream; rest reads the others.
func (s *stage) openStream(t *testing.T) (line string, rest func() (string, error)) {
	t.Helper()
	resp, err := http.DefaultClient.Do(request(t, s.URL+"/stream", "k", tea))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewReader(resp.Body)
	if line, err = lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	<-s.shop.begun
	return line, func() (string, error) {
		text := ""
		for {
			more, err := lines.ReadString('\n')
			text += more
			if err != nil {
				return text, notEOF(err)
			}
		}
	}
}

// Methods that need no key pass untouched.
func leavesOthersAlone(t *testing.T, f framework) {
	s := open(t, f)
	resp, err := http.Get(s.URL + "/orders")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get(oncehttp.HeaderWindow) != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
