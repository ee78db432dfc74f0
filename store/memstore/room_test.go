package memstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

func (b *bench) wantFull(who store.Identity) {
	b.Helper()
	if a, err := b.Claim(context.Background(), claimOf(who, b.token())); !errors.Is(err, store.ErrFull) {
		b.Fatalf("claim of %s: %v, %v; want ErrFull", who.Key, a.Verdict, err)
	}
}

func TestRecordCapRefusesAndNeverEvicts(t *testing.T) {
	b := open(t, Config{MaxRecords: 3})
	open1, done := key("open", 0), key("done", 0)
	token := b.claim(open1, store.Granted)
	b.finish(done, []byte("reply"))
	released := b.claim(key("released", 0), store.Granted)
	b.wantFull(key("one too many", 0))
	b.claim(done, store.Replay)
	b.claim(open1, store.InFlight)
	b.complete(open1, token, []byte("reply"))
	b.release(key("released", 0), released, 0)
	b.claim(key("fits again", 0), store.Granted)
	b.wantFull(key("one too many", 0))
	b.clock.pass(window + guard)
	if n := b.purge(10).Removed; n != 2 {
		t.Fatalf("purge removed %d records, want 2", n)
	}
	b.claim(key("first after purge", 0), store.Granted)
	b.claim(key("second after purge", 0), store.Granted)
	b.wantFull(key("one too many", 0))
}

// A11 for every length of strings: what was accepted can be completed within its reserve although the store is full.
func TestReserveHoldsRoomForTheReply(t *testing.T) {
	for _, n := range []int{1, 100, store.MaxKey} {
		b := open(t, Config{MaxBytes: 1 << 14})
		who := key(strings.Repeat("k", n), 0)
		who.Principal = strings.Repeat("p", n)
		token := b.claim(who, store.Granted)
		for i := 0; ; i++ { // fill up to the last byte that a record without a reserve needs
			q := claimOf(key(fmt.Sprintf("filler %d", i), 0), b.token())
			q.Reserve = 0
			if _, err := b.Claim(context.Background(), q); err != nil {
				break
			}
		}
		before := b.stats("").Bytes
		if _, err := b.Advance(context.Background(), completeOf(who, token, make([]byte, 8<<10))); !errors.Is(err, store.ErrFull) {
			t.Fatalf("a reply far over the reserve: %v, want ErrFull", err)
		}
		if got := b.stats(""); got.Bytes != before || got.Done != 0 {
			t.Fatalf("a refused complete changed the store: %+v", got)
		}
		b.complete(who, token, make([]byte, 1024))
		if got := b.stats("").Bytes; got > before {
			t.Errorf("completing within the reserve took %d bytes more", got-before)
		}
	}
}

func TestTombstoneNeedsNoRoom(t *testing.T) {
	b := open(t, Config{MaxBytes: 2000})
	who := key("big", 0)
	token := b.claim(who, store.Granted)
	b.wantFull(key("other", 0))
	b.complete(who, token, nil)
}

func TestTakeoverAtCapacityBringsItsReserve(t *testing.T) {
	b := open(t, Config{MaxBytes: 2000})
	who := key("lapsing", 0)
	q := claimOf(who, b.token())
	q.Reserve, q.Policy = 100, store.Rerun
	if _, err := b.Claim(context.Background(), q); err != nil {
		t.Fatal(err)
	}
	b.clock.pass(lease)
	q.Token, q.Reserve = b.token(), 4096
	if a, err := b.Claim(context.Background(), q); err != nil || a.Verdict != store.TakenOver {
		t.Fatalf("takeover: %v, %v", a.Verdict, err)
	}
	b.wantFull(key("other", 0))
	b.complete(who, q.Token, make([]byte, 4096))
}

func TestMarksCountAndExpire(t *testing.T) {
	b := open(t, Config{MaxBytes: 100 * markOverhead})
	until := b.now().Add(time.Second)
	for i := range 100 {
		b.release(key(fmt.Sprint(i), 0), b.token(), until)
	}
	b.wantFull(key("other", 0)) // released tokens are a stranger's to make: they must not grow without bound
	b.clock.pass(time.Second)
	if b.purge(1); b.stats("").Bytes != 100*markOverhead {
		t.Fatalf("marks went at their last moment, not after it: %d bytes", b.stats("").Bytes)
	}
	b.clock.pass(time.Millisecond)
	if b.purge(1); b.stats("").Bytes != 0 {
		t.Fatalf("%d bytes after the marks were over, want 0", b.stats("").Bytes)
	}
	b.claim(key("other", 0), store.Granted)
}

func TestMarksExpireWithoutPurge(t *testing.T) {
	b := open(t, Config{})
	who := key("one", 0) // one key, so one shard
	for range 1000 {
		b.release(who, b.token(), b.now())
		b.clock.pass(time.Millisecond)
	}
	if got := b.stats("").Bytes; got > 4*markOverhead {
		t.Errorf("1000 releases one after the other left %d bytes", got)
	}
}

func TestProlongedMarkLivesOn(t *testing.T) {
	b := open(t, Config{})
	who, token := key("one", 0), b.token()
	b.release(who, token, b.now().Add(time.Second))
	b.release(who, token, b.now().Add(time.Minute))
	b.clock.pass(2 * time.Second)
	b.purge(1)
	a, err := b.Claim(context.Background(), claimOf(who, token))
	if err != nil || a.Verdict != store.Dead {
		t.Fatalf("claim with a released token: %v, %v; want dead", a.Verdict, err)
	}
	b.clock.pass(time.Minute)
	b.purge(1)
	if got := b.stats("").Bytes; got != 0 {
		t.Errorf("%d bytes left", got)
	}
}

func TestNoLimitIsReportedAsNone(t *testing.T) {
	b := open(t, Config{MaxRecords: NoLimit, MaxBytes: NoLimit})
	q := claimOf(key("huge reserve", 0), b.token())
	q.Reserve = 1<<63 - 1
	for range 2 { // sums must not overflow into a negative count
		if _, err := b.Claim(context.Background(), q); err != nil {
			t.Fatal(err)
		}
		q.Identity, q.Token = key("another", 0), b.token()
	}
	if st := b.stats(""); st.MaxRecords != 0 || st.MaxBytes != 0 || st.Bytes <= 0 {
		t.Errorf("stats: %+v", st)
	}
}

func TestZeroAndNegativeMeanDefault(t *testing.T) {
	for _, c := range []Config{{}, {MaxRecords: -1, MaxBytes: -1, TrailSize: -1}} {
		got := c.withDefaults()
		if got.MaxRecords != DefaultMaxRecords || got.MaxBytes != DefaultMaxBytes || got.TrailSize != DefaultTrailSize || got.Clock == nil {
			t.Errorf("defaults of %+v: %+v", c, got)
		}
	}
}

func TestStoredReplyIsNotTheCallersSlice(t *testing.T) {
	b := open(t, Config{})
	for _, size := range []int{5, ownChunk + 1} {
		who := key(fmt.Sprint(size), 0)
		reply := bytes.Repeat([]byte("r"), size)
		want := bytes.Clone(reply)
		b.finish(who, reply)
		clear(reply)
		first, _ := b.Get(context.Background(), who)
		if !bytes.Equal(first.Record.Reply, want) {
			t.Fatal("the store keeps the caller's slice")
		}
		if cap(first.Record.Reply) != len(first.Record.Reply) {
			t.Fatal("a caller that appends to a reply writes into the store")
		}
		b.finish(key(fmt.Sprint("next", size), 0), want)
		b.clock.pass(window + guard)
		b.purge(10)
		b.finish(key(fmt.Sprint("later", size), 0), bytes.Repeat([]byte("x"), size))
		if !bytes.Equal(first.Record.Reply, want) {
			t.Fatal("a reply that a caller holds changed after its record was purged")
		}
	}
}
