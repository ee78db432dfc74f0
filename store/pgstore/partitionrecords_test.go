package pgstore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// The same in record mode: each key is granted once, and whoever was granted it can complete it, however many partitions have gone meanwhile.
func TestRecordsOutliveTheirPartitions(t *testing.T) {
	seed := seedOf(t)
	rounds, each := 6, 30
	if os.Getenv("ONCEWARD_SOAK") != "" {
		rounds, each = 200, 60
	}
	p := newParted(t)
	const window, skew = onceward.DefaultWindow, onceward.DefaultSkew
	type owned struct {
		who   store.Identity
		token store.Token
	}
	var mu sync.Mutex
	var keys []store.Identity
	var open []owned
	granted := map[store.ID]int{}
	completed := 0
	claim := func(r *rand.Rand, who store.Identity) {
		q := store.ClaimRequest{Identity: who, Start: true, Lease: time.Minute, Window: window, Guard: skew}
		for i := range q.Token {
			q.Token[i] = byte(r.Uint32())
		}
		a, err := p.s.Claim(t.Context(), q)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch a.Verdict {
		case store.Granted:
			granted[who.ID]++
			open = append(open, owned{who, q.Token})
		case store.Replay, store.InFlight, store.Unknown, store.Expired:
		default:
			t.Errorf("claimed stamp %d: %v", who.Stamp, a.Verdict)
		}
	}
	complete := func(o owned) {
		a, err := p.s.Advance(t.Context(), store.AdvanceRequest{Identity: o.who, Token: o.token, Op: store.OpComplete, End: store.EndReply, Window: window, Guard: skew})
		if err != nil || a.Verdict != store.Applied {
			t.Errorf("completed stamp %d, bucket %d: %v, %v", o.who.Stamp, p.bucket(t, o.who), a.Verdict, err)
		}
		mu.Lock()
		defer mu.Unlock()
		completed++
	}
	step := func(r *rand.Rand, now store.Time) {
		mu.Lock()
		what := r.IntN(10)
		switch {
		case what < 3 && len(open) > 0:
			n := r.IntN(len(open))
			o := open[n]
			open = append(open[:n], open[n+1:]...)
			mu.Unlock()
			complete(o)
		case what < 6 && len(keys) > 0:
			who := keys[r.IntN(len(keys))]
			mu.Unlock()
			claim(r, who)
		default:
			who := identity(fmt.Sprint("k", len(keys)), now.Add(-time.Duration(r.Int64N(int64(testKeep)))))
			keys = append(keys, who)
			mu.Unlock()
			claim(r, who)
		}
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range rounds {
		now := p.now(t)
		var all sync.WaitGroup
		for n := range 4 {
			r := rand.New(rand.NewPCG(seed, uint64(4*round+n+1)))
			all.Go(func() {
				for range each {
					step(r, now)
				}
			})
		}
		for range 2 {
			m := p.maintainer(t, func(c *MaintainConfig) { c.Patience = time.Second })
			all.Go(func() {
				if err := m.Maintain(t.Context()); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
		move(t, p.s, time.Duration(r.Int64N(int64(2*testWidth))))
	}
	p.maintain(t)
	for _, o := range open {
		complete(o)
	}
	for id, n := range granted {
		if n != 1 {
			t.Errorf("%v was granted %d times", id, n)
		}
	}
	attached, _ := p.spans(t)
	t.Logf("%d keys, %d granted, %d completed; %d partitions, the first from %v after the first stamp", len(keys), len(granted), completed, len(attached),
		attached[0].from.Sub(keys[0].Stamp))
}
