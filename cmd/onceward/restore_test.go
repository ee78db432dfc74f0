package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/pgstore"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// provider is where the effects are: outside of the database, and so outside of its backups.
type provider struct {
	mu   sync.Mutex
	made map[string]int // by key
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made[r.Header.Get("Idempotency-Key")]++
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, "payout %d", len(p.made))
}

func (p *provider) times(key string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made[key]
}

// shop is the service over a database, and nothing else in it: between stop and start it has no memory.
type shop struct {
	t     *testing.T
	url   string
	close func()
}

func (p *provider) open(t *testing.T, database string) *shop {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	records, err := pgstore.New(t.Context(), pool, pgstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := onceward.New(records, onceward.Config{})
	alice := func(*http.Request) (string, error) { return "alice", nil }
	once, err2 := oncehttp.Middleware(guard, oncehttp.Principal("payouts", alice), oncehttp.Config{})
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(once(p))
	return &shop{t, server.URL, func() {
		server.Close()
		if err := guard.Close(t.Context()); err != nil {
			t.Error(err)
		}
		pool.Close() // nobody may be connected to what is cloned
	}}
}

// send is one call; nothing in between sends it again.
func (s *shop) send(key string) (status int, body string, replayed bool) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/payouts", io.NopCloser(strings.NewReader("100 to bob")))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Host = "payouts.example" // a restored server has another port, and the host belongs to the request
	r.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header.Get("Idempotent-Replayed") == "true"
}

func mintKey(t *testing.T, at time.Time) string {
	t.Helper()
	key, err := onceward.TypeID{Clock: func() time.Time { return at }}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	return key.Text()
}

// docs/operations.md, "After restoring a backup". The one backup is restored twice: without the seal what ran after it runs a second
// time, and with the seal it does not.
func TestRestoredBackupNeedsASeal(t *testing.T) {
	server := pgtest.Shared(t)
	original := migrated(t)
	payouts := &provider{made: map[string]int{}}
	restore := func(from string) (url string) {
		t.Helper()
		cfg, err := pgxpool.ParseConfig(from)
		if err != nil {
			t.Fatal(err)
		}
		url, err = server.Clone(t.Context(), cfg.ConnConfig.Database)
		if err != nil {
			t.Fatal(err)
		}
		return url
	}

	before, lost := mintKey(t, time.Now()), mintKey(t, time.Now())
	live := payouts.open(t, original)
	status, kept, _ := live.send(before)
	if status != http.StatusCreated {
		t.Fatalf("the first payout: %d %s", status, kept)
	}
	live.close()
	backup := restore(original)
	live = payouts.open(t, original)
	if status, body, _ := live.send(lost); status != http.StatusCreated {
		t.Fatalf("a payout after the backup: %d %s", status, body)
	}
	live.close() // the original is lost, and the client's reply with it: it sends again

	careless := payouts.open(t, restore(backup))
	if status, _, replayed := careless.send(lost); status != http.StatusCreated || replayed || payouts.times(lost) != 2 {
		t.Errorf("without a seal: %d, %d payouts; this test cannot see a second execution", status, payouts.times(lost))
	}
	careless.close()

	restored := restore(backup)
	o := onDatabase(t, restored, "store", "seal", "postgres", "--service", "payouts", "--until", "now", "--yes")
	if o.err != nil || o.notes != "" {
		t.Fatalf("seal: %v, %s", o.err, o.notes)
	}
	careful := payouts.open(t, restored)
	defer careful.close()
	if status, body, _ := careful.send(lost); status != http.StatusGone || !strings.Contains(body, "key-expired") || payouts.times(lost) != 2 {
		t.Errorf("after a seal: %d, %d payouts, %s; want 410 key-expired and no third", status, payouts.times(lost), body)
	}
	if status, body, replayed := careful.send(before); status != http.StatusCreated || !replayed || body != kept || payouts.times(before) != 1 {
		t.Errorf("what the backup has: %d %q, replayed = %v; want %q again", status, body, replayed, kept)
	}
	sealed, _ := watermark(t, restored, "payouts")
	fresh := mintKey(t, time.UnixMilli(int64(sealed)+1))
	if status, body, _ := careful.send(fresh); status != http.StatusCreated || payouts.times(fresh) != 1 {
		t.Errorf("a key minted after the seal: %d %s", status, body)
	}
}
