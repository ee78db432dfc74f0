package storetest

import (
	"errors"
	"time"

	"github.com/onceward/onceward/store"
)

var purgeCases = []Case{
	{"P1_only_what_is_done_and_over", p1},
	{"P1_at_most_the_limit", p1Limit},
	{"P2_removed_keys_are_sealed", p2},
	{"P2_up_to_the_newest_removed_stamp_and_no_further", p2Newest},
	{"P2_unstamped_records_raise_no_watermark", p2Unstamped},
	{"P3_a_clock_that_jumped_stops_it", p3},
	{"P4_marks_live_through_it", p4},
}

// over lets the time of records that were completed soon be over, for Purge too.
func (w *world) over() { w.Helper(); w.pass(w.short + w.h.PurgeLag + time.Millisecond) }

func p1(w *world) {
	keep := []store.Record{w.claimed(), w.started(), w.lapsed(), w.unknown(), w.unknown(rerun), w.doubted(), w.done()}
	over := []store.Record{w.done(w.soon), w.done(w.soon)}
	if w.h.Advance != nil {
		expect(w, "how many are removed before their time", w.purge(), 0)
		w.pass(w.short - time.Second)
		expect(w, "how many are removed just before their time", w.purge(), 0)
	}
	w.over()
	expect(w, "how many are removed", w.purge(), len(over))
	for _, r := range keep {
		w.same(r)
	}
	for _, r := range over {
		w.absent(r.Identity)
		w.want(w.claim(r.Identity, w.token()), store.Granted) // unstamped: the weaker promise
	}
	expect(w, "how many are removed once more", w.purge(), 0)

	w.pass(10 * w.short) // open records wait for ever
	w.purge()
	for _, r := range keep {
		w.same(r)
	}
}

func p1Limit(w *world) {
	for range 5 {
		w.done(w.soon)
	}
	w.over()
	removed, calls := 0, 0
	for more := true; more; calls++ {
		r, err := w.store.Purge(w.ctx, store.PurgeRequest{Limit: 2})
		if err != nil {
			w.Fatalf("Purge: %v", err)
		}
		if r.Removed > 2 && !w.h.PurgeWhole || r.More && r.Removed < 2 || calls > 5 {
			w.Fatalf("Purge with limit 2, call %d: removed %d, more %v", calls+1, r.Removed, r.More)
		}
		removed, more = removed+r.Removed, r.More
		expect(w, "how many are left", w.stats("").Done, int64(5-removed))
	}
	expect(w, "how many are removed in all", removed, 5)
}

func p2(w *world) {
	who := w.stamped(w.now())
	w.complete(who, w.soon)
	w.over()
	expect(w, "how many are removed", w.purge(), 1)
	if got := w.stats("orders").Watermark; got < who.Stamp {
		w.Errorf("the watermark is %d, below the removed stamp %d", got, who.Stamp)
	}
	w.want(w.claim(who, w.token(), wide), store.Expired) // the raised window alone would admit the late copy
	w.want(w.decide(store.Cancel, who, w.token(), func(q *store.DecideRequest) { q.Window = 1000 * window }), store.Expired)
	w.absent(who)
}

func p2Newest(w *world) {
	now := w.now()
	w.complete(w.stamped(now-9), w.soon)
	newest := w.complete(w.stamped(now-5), w.soon)
	w.complete(w.stamped(now - 2)) // stays
	w.complete(identity("refunds", "alice", "r", now-7), w.soon)
	slow := w.want(w.claim(identity("refunds", "alice", "s", now-8), w.token(), straight), store.Granted)
	w.over()
	expect(w, "how many are removed", w.purge(), 3)
	expect(w, "the watermark", w.stats("orders").Watermark, newest.Stamp)
	expect(w, "the other service's watermark", w.stats("refunds").Watermark, now-7)
	w.want(w.claim(w.stamped(now-4), w.token()), store.Granted) // a client that is merely slow

	w.seal("orders", now)
	w.want(w.advance(store.OpComplete, slow.Identity, slow.Token, w.soon), store.Applied)
	w.over()
	expect(w, "how many are removed", w.purge(), 1)
	expect(w, "the watermark after a purge below it", w.stats("orders").Watermark, now)
	expect(w, "the other's after a purge below it", w.stats("refunds").Watermark, now-7)
}

func p2Unstamped(w *world) {
	w.done(w.soon)
	w.over()
	expect(w, "how many are removed", w.purge(), 1)
	expect(w, "the watermark", w.stats("orders").Watermark, 0)
}

func p3(w *world) {
	r := w.complete(w.stamped(w.now()), w.soon)
	w.over()
	now := w.now()
	for _, expected := range []store.Time{now.Add(-long), now.Add(long)} {
		_, err := w.store.Purge(w.ctx, store.PurgeRequest{Limit: 10, Expect: expected, Tolerance: long / 2})
		if !errors.Is(err, store.ErrClock) {
			w.Errorf("Purge with a clock that differs by %v: %v, want ErrClock", now.Sub(expected), err)
		}
		w.same(r)
		expect(w, "the watermark", w.stats("orders").Watermark, 0)
	}
	got, err := w.store.Purge(w.ctx, store.PurgeRequest{Limit: 10, Expect: now.Add(long), Tolerance: 2 * long})
	if err != nil || got.Removed != 1 {
		w.Errorf("Purge with a clock within the tolerance: removed %d, %v; want 1", got.Removed, err)
	}
}

func p4(w *world) {
	long, brief := w.now().Add(long), w.now().Add(w.short)
	lives, dies := w.claimed(), w.claimed()
	w.want(w.advance(store.OpRelease, lives.Identity, lives.Token, markUntil(long)), store.Applied)
	w.want(w.advance(store.OpRelease, dies.Identity, dies.Token, markUntil(brief)), store.Applied)
	w.done(w.soon)
	w.over()
	w.purge()
	w.want(w.claim(lives.Identity, lives.Token, validUntil(long)), store.Dead)
	w.want(w.claim(dies.Identity, dies.Token), store.Granted)
}
