package storetest

import (
	"bytes"
	"sync"

	"github.com/onceward/onceward/store"
)

var getCases = []Case{
	{"G1_reads_the_last_acknowledged_write", g1},
	{"G1_reads_it_also_while_others_write", g1Busy},
	{"G1_tells_what_it_finds_and_changes_nothing", g1Tells},
	{"G1_replies_of_any_bytes_and_the_callers_slice", g1Reply},
}

func g1(w *world) {
	who, token := w.key(), w.token()
	w.same(w.want(w.claim(who, token), store.Granted))
	for _, op := range []store.Op{store.OpStart, store.OpExtend, store.OpYield, store.OpComplete} {
		w.same(w.want(w.advance(op, who, token), store.Applied))
	}
}

func g1Busy(w *world) {
	var all sync.WaitGroup
	for range 8 {
		mine := []store.Identity{w.key(), w.key(), w.key(), w.key()}
		tokens := []store.Token{w.token(), w.token(), w.token(), w.token()}
		all.Go(func() {
			for i, who := range mine {
				q := claimRequest(who, tokens[i])
				if a, err := w.store.Claim(w.ctx, q); err != nil || a.Verdict != store.Granted {
					w.Errorf("Claim: %v, %v", a.Verdict, err)
				}
				if a, err := w.store.Get(w.ctx, who); err != nil || a.Record.State != store.Claimed {
					w.Errorf("Get after an acknowledged claim: %s, %v", sketch(a.Record), err)
				}
				if a, err := w.store.Advance(w.ctx, advanceRequest(store.OpComplete, who, tokens[i])); err != nil || a.Verdict != store.Applied {
					w.Errorf("Complete: %v, %v", a.Verdict, err)
				}
				if a, err := w.store.Get(w.ctx, who); err != nil || string(a.Record.Reply) != "paid" {
					w.Errorf("Get after an acknowledged complete: %s, %v", sketch(a.Record), err)
				}
			}
		})
	}
	all.Wait()
}

func g1Tells(w *world) {
	for _, c := range []struct {
		from store.Record
		want store.Verdict
	}{
		{w.claimed(), store.InFlight}, {w.started(), store.InFlight}, {w.done(), store.Replay}, {w.lapsed(), store.Lapsed},
		{w.unknown(), store.Unknown}, {w.unknown(rerun), store.Unknown}, {store.Record{Identity: w.key()}, store.Absence},
		{store.Record{Identity: w.stamped(w.now().Add(-1000 * window))}, store.Absence}, // too old, but not sealed
	} {
		for range 2 {
			w.want(w.get(c.from.Identity), c.want)
			w.same(c.from)
		}
	}
}

func g1Reply(w *world) {
	every := make([]byte, 70_000)
	for i := range every {
		every[i] = byte(i ^ i>>8)
	}
	if most := w.h.Traits.MaxReply; most > 0 {
		every = every[:min(len(every), most)]
	}
	for _, reply := range [][]byte{{}, {0}, every} {
		r := w.started()
		sent := bytes.Clone(reply)
		send := func(q *store.AdvanceRequest) { q.Reply = sent }
		done := w.want(w.advance(store.OpComplete, r.Identity, r.Token, send), store.Applied)
		if !bytes.Equal(sent, reply) {
			w.Error("the store changed the caller's slice")
		}
		for i := range sent {
			sent[i] ^= 0xff // the caller reuses its buffer
		}
		if !bytes.Equal(done.Reply, reply) {
			w.Error("the answer's reply is the caller's slice")
		}
		got := w.want(w.claim(r.Identity, w.token()), store.Replay)
		expect(w, "End of a reply", got.End, store.EndReply)
		if !bytes.Equal(got.Reply, reply) {
			w.Errorf("a reply of %d bytes came back as %d bytes, or as others", len(reply), len(got.Reply))
		}
	}
}
