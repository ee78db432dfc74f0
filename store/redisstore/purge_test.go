package redisstore

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// TestPurgeBySeveralMaintainers removes a thousand records, each once, while late copies of them come: none runs again.
func TestPurgeBySeveralMaintainers(t *testing.T) {
	const n = 1000
	l := &life{T: t, Store: shared(t, Config{Shards: 3, movable: true, bucket: time.Second})}
	now, err := l.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]store.Identity, n)
	var all sync.WaitGroup
	for w := range 20 {
		all.Go(func() {
			for i := w; i < n; i += 20 {
				keys[i] = identity(fmt.Sprint(i), now.Add(-time.Duration(i)*time.Millisecond))
				work(t, l.Store, keys[i], nil)
			}
		})
	}
	all.Wait()
	move(t, l.Store, 25*time.Hour)
	var removed atomic.Int64
	for range 3 {
		all.Go(func() {
			for more := true; more; {
				r, err := l.Purge(t.Context(), store.PurgeRequest{Limit: 70})
				if err != nil {
					t.Errorf("Purge: %v", err)
					return
				}
				removed.Add(int64(r.Removed))
				more = r.More
			}
		})
	}
	for w := range 4 {
		all.Go(func() {
			for i := w; i < n; i += 4 {
				q := claimOf(keys[i], tokenOf(1<<40+uint64(i)))
				q.Window = 1000 * time.Hour // longer than the one under which it was admitted
				if a, err := l.Claim(t.Context(), q); err != nil || a.Verdict != store.Replay && a.Verdict != store.Expired {
					t.Errorf("a late copy: %v, %v", a.Verdict, err)
				}
			}
		})
	}
	all.Wait()
	if got := removed.Load(); got != n {
		t.Errorf("%d of %d are removed", got, n)
	}
	for i, tag := range l.tags {
		if got := talkString(t, l.Store, tag+"aorders"); read48([]byte(got)[16:]) != now {
			t.Errorf("the watermark of shard %d is %d, want that of the newest, %d", i, read48([]byte(got)[16:]), now)
		}
	}
}

func talkString(t testing.TB, s *Store, key string) string {
	t.Helper()
	got, err := s.client.Do(t.Context(), s.client.B().Get().Key(key).Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestLongWindowsHaveFewLists: what is kept for a year does not stand in a list for each ten minutes of it, which a count would have to visit, one by one, while the server does nothing else.
func TestLongWindowsHaveFewLists(t *testing.T) {
	s := shared(t, Config{Shards: 1, movable: true})
	for n := range 100 {
		who := identity(fmt.Sprint(n), 0)
		if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
			t.Fatal(err)
		}
		q := completeOf(who, tokenOf(1), "paid")
		q.Window = 365*24*time.Hour + time.Duration(n)*time.Hour
		if _, err := s.Advance(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	n, err := s.client.Do(t.Context(), s.client.B().Zcard().Key(s.tags[0]+"b").Build()).AsInt64()
	if err != nil || n > 3 { // in 100 hours, each for 85
		t.Errorf("a hundred records of a year's window stand in %d lists, %v", n, err)
	}
	if st, err := s.Stats(t.Context(), "orders"); err != nil || st.Done != 100 {
		t.Errorf("%+v, %v", st, err)
	}
	move(t, s, (365+5+4)*24*time.Hour)
	if r, err := s.Purge(t.Context(), store.PurgeRequest{Limit: 1000}); err != nil || r.Removed != 100 {
		t.Errorf("removed when their time, and a 75th of it, is over: %+v, %v", r, err)
	}
}
