package pgorm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// Business code through each library has its effect once with its record and its reply, or not at all.
func TestLibraries(t *testing.T) {
	cases := []struct {
		name string
		run  func(*testing.T, *bank, library)
	}{
		{"lost-reply", survivesLostReply},
		{"duplicates", runsDuplicatesOnce},
		{"reject", rejects},
		{"failure", failsAndRunsAgain},
		{"swallowed", keepsNoSwallowedError},
		{"escape", cannotCommit},
		{"outside", writesNothingOutside},
	}
	for _, l := range []library{sqlcPGX, sqlcSQL, viaGORM, viaEnt, viaRiver} {
		t.Run(l.name, func(t *testing.T) {
			db := newDatabase(t)
			exec := l.exec(t, db)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, open(t, l, db, exec), l) })
			}
		})
	}
}

// The reply is lost twice; the client sends again, and the third reply is the first one's.
func survivesLostReply(t *testing.T, b *bank, _ library) {
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	b.cut.Store(2)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL, strings.NewReader(`{"Amount":30}`))
	if err != nil {
		t.Fatal(err)
	}
	got := read(client.Do(r))
	if got.err != nil || got.status != http.StatusCreated || !strings.HasPrefix(got.body, "transfer ") || !got.replayed {
		t.Errorf("%+v", got)
	}
	b.want(t, 1, 30)
}

func runsDuplicatesOnce(t *testing.T, b *bank, _ library) {
	const copies = 8
	answers := make(chan answer, copies)
	for range copies {
		go func() { answers <- b.post("k", `{"Amount":30}`) }()
	}
	first := <-answers
	for range copies - 1 {
		if got := <-answers; got.status != http.StatusCreated || got.body != first.body {
			t.Errorf("%+v, another copy %+v", got, first)
		}
	}
	b.want(t, 1, 30)
}

// What a 4xx has written is undone, and the answer is kept.
func rejects(t *testing.T, b *bank, _ library) {
	for n := range 2 {
		if got := b.post("k", `{"Amount":30,"Do":"refuse"}`); got.status != http.StatusConflict || got.replayed != (n > 0) || !strings.Contains(got.body, "second thoughts") {
			t.Errorf("call %d: %+v", n+1, got)
		}
	}
	b.want(t, 1)
}

// What a 5xx has written is undone, and the key is free.
func failsAndRunsAgain(t *testing.T, b *bank, _ library) {
	const wish = `{"Amount":30,"Do":"fail"}`
	b.down.Store(true)
	if got := b.post("k", wish); got.status != http.StatusInternalServerError {
		t.Errorf("first: %+v", got)
	}
	b.want(t, 1)
	b.down.Store(false)
	for n := range 2 {
		if got := b.post("k", wish); got.status != http.StatusCreated || got.replayed != (n > 0) {
			t.Errorf("later call %d: %+v", n+1, got)
		}
	}
	b.want(t, 2, 30)
}

// A handler that ignores the database's error, alice's account is overdrawn, and answers 201: nobody is told that it went well.
func keepsNoSwallowedError(t *testing.T, b *bank, _ library) {
	if got := b.post("k", `{"Amount":101,"Do":"swallow"}`); got.err != nil || got.status < 500 {
		t.Errorf("%+v", got)
	}
	b.db.wantMoved(t)
	if got := b.post("other", `{"Amount":30}`); got.status != http.StatusCreated {
		t.Errorf("another transfer: %+v", got)
	}
	b.db.wantMoved(t, 30)
}

// Whatever the library offers to commit with is refused, or ends a savepoint only: the handler's 409 still undoes all.
func cannotCommit(t *testing.T, b *bank, _ library) {
	if got := b.post("k", `{"Amount":30,"Do":"escape"}`); got.status != http.StatusConflict || !strings.Contains(got.body, "caught") {
		t.Errorf("%+v", got)
	}
	b.want(t, 1)
}

// A handler that passes on a context of its own writes nothing.
func writesNothingOutside(t *testing.T, b *bank, l library) {
	if _, err := l.transfer(context.Background(), transfer{Amount: 30}); !errors.Is(err, onceward.ErrNoAttempt) {
		t.Errorf("transfer outside of a guarded function: %v", err)
	}
	b.want(t, 0)
}

// want checks how often the handler has run, and what was moved.
func (b *bank) want(t *testing.T, runs int64, amounts ...int64) {
	t.Helper()
	if n := b.runs.Load(); n != runs {
		t.Errorf("the handler ran %d times, want %d", n, runs)
	}
	b.db.wantMoved(t, amounts...)
}

// answer is a reply read to its end, or what became of it.
type answer struct {
	status   int
	body     string
	replayed bool
	err      error
}

// post sends a transfer once.
func (b *bank) post(key, body string) answer {
	r, err := http.NewRequest(http.MethodPost, b.URL, strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	r.Header.Set(oncehttp.HeaderKey, key)
	return read(b.Client().Do(r))
}

func read(resp *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(body), resp.Header.Get(oncehttp.HeaderReplayed) == "true", err}
}

// notRefused adds way if it went well, which it should not.
func notRefused(ways []string, way string, err error) []string {
	if err == nil {
		return append(ways, way)
	}
	return ways
}
