package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// seeded is the seed of a random test: that of the environment, or another each time. It is printed.
func seeded(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("ONCEWARD_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("ONCEWARD_SEED is %q: it must be a number", text)
		}
		seed = n
	}
	t.Logf("ONCEWARD_SEED=%d", seed)
	return seed
}

// wish is an operation of the walk, and what is known of it.
type wish struct {
	who    store.Identity
	policy store.Policy
	round  int // in which it was made

	mu      sync.Mutex
	effects int
	reply   string // of its end, once somebody was told
}

// walk is a Cluster on which owners and operators of two processes work at random, while it is harmed.
type walk struct {
	*testing.T
	cluster *redistest.Cluster
	stores  []*Store
	gate    sync.RWMutex // held while somebody looks at everything
	mu      sync.Mutex
	round   int
	made    int
	wishes  []*wish // that are worked on
	ended   []*wish // that are done, and not purged before the walk's end
	tokens  uint64
	sealed  store.Time
	newest  store.Time
	worked  map[string]int
	ctx     context.Context
}

// TestClusterWalk makes random steps on a Cluster whose servers are killed, stopped, put in each other's place, and lose their scripts and connections. After each of
// these all is looked at: no effect twice under MarkUnknown, no reply that differs, nothing forgotten that was acknowledged, and the indexes agree with the records.
func TestClusterWalk(t *testing.T) {
	t.Parallel() // it has a server of its own
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	seed := seeded(t)
	met := harms[:len(harms)-1] // a node of a Cluster that begins anew takes no writes for two seconds
	rounds := len(met)
	if os.Getenv("ONCEWARD_SOAK") != "" {
		met, rounds = harms, 400
	}
	cluster := redistest.OwnReplicatedCluster(t, 3, redistest.Config{Durable: true})
	w := &walk{T: t, cluster: cluster, worked: map[string]int{}}
	var cancel context.CancelFunc
	w.ctx, cancel = context.WithTimeout(t.Context(), time.Duration(rounds)*20*time.Second)
	defer cancel()
	for range 2 {
		c := Config{Shards: 6, AllowLossyFailover: true, Timeout: time.Second, bucket: 20 * time.Millisecond}
		w.stores = append(w.stores, openAt(t, c, cluster.Nodes[0].Address(), cluster.Nodes[1].Address()))
	}
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for n := range uint64(6) {
		workers.Go(func() { w.work(rand.New(rand.NewPCG(seed, n+1)), stop) })
	}
	random := rand.New(rand.NewPCG(seed, 0))
	order := random.Perm(len(met))
	for w.round = 0; w.round < rounds && !t.Failed(); w.round++ {
		h := met[order[w.round%len(met)]] // each in turn, so that a short walk meets all
		w.goOn("before "+h.name, 200+random.IntN(200))
		if err := h.do(w, random); err != nil {
			t.Errorf("%s: %v", h.name, err)
		}
		w.count(h.name)
		w.goOn("after "+h.name, 100)
		w.look(h.name)
	}
	close(stop)
	workers.Wait()
	t.Logf("%d operations: %v", w.made, w.worked)
}

// goOn waits until some more steps are made.
func (w *walk) goOn(when string, n int) {
	before := w.steps()
	await(w.T, "work goes on "+when, func() bool { return w.steps() > before+n || w.Failed() })
}

func (w *walk) count(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.worked[what]++
}

// harms are what happens to the Cluster.
var harms = []struct {
	name string
	do   func(*walk, *rand.Rand) error
}{
	{"failover", func(w *walk, random *rand.Rand) error { return w.cluster.Failover(w.ctx, random.IntN(3)) }},
	{"script flush", func(w *walk, _ *rand.Rand) error { return w.all("SCRIPT", "FLUSH") }},
	{"cut connections", func(w *walk, _ *rand.Rand) error { return w.all("CLIENT", "KILL", "TYPE", "normal") }},
	{"move of a slot", func(w *walk, random *rand.Rand) error {
		tags := w.stores[0].tags
		slot := int(crc16(strings.Trim(tags[random.IntN(len(tags))], "{}"))) % slots
		from, err := w.cluster.Owner(slot)
		if err != nil {
			return err
		}
		return w.cluster.Move(slot, from, (from+1+random.IntN(2))%3, nil)
	}},
	{"stop", func(w *walk, random *rand.Rand) error {
		s := w.cluster.Nodes[random.IntN(3)]
		if err := s.Freeze(); err != nil {
			return err
		}
		<-time.After(time.Duration(50+random.IntN(250)) * time.Millisecond) // not until others go on: they may all wait for this one
		return s.Thaw()
	}},
	{"kill", func(w *walk, random *rand.Rand) error {
		s := w.cluster.Nodes[random.IntN(3)]
		if err := s.Kill(); err != nil {
			return err
		}
		return s.Restart(w.ctx)
	}},
}

func (w *walk) all(command ...string) error {
	for _, s := range w.cluster.Nodes {
		if _, err := s.Talk(command...); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) steps() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.worked["step"]
}

// draw makes a wish, or takes one of those that are being worked on, and a token. Keys are stamped or not, under either policy.
func (w *walk) draw(random *rand.Rand) (*wish, store.Token) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.worked["step"]++
	w.tokens++
	token := tokenOf(1<<40 + w.tokens)
	if len(w.wishes) > 0 && random.IntN(6) > 0 {
		return w.wishes[max(len(w.wishes)-1-random.IntN(40), random.IntN(len(w.wishes)))], token
	}
	x := &wish{round: w.round, policy: store.MarkUnknown}
	if random.IntN(3) == 0 {
		x.policy = store.Rerun
	}
	var stamp store.Time
	if random.IntN(2) == 0 {
		stamp = store.TimeOf(time.Now())
	}
	w.made++
	x.who = identity(fmt.Sprint("wish ", w.made), stamp)
	w.wishes = append(w.wishes, x)
	return x, token
}

func (w *walk) work(random *rand.Rand, stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if w.Failed() || w.ctx.Err() != nil {
			return
		}
		w.gate.RLock()
		x, token := w.draw(random)
		w.operate(random, x, token)
		w.gate.RUnlock()
	}
}

// insist makes a call until the store answers, with the same arguments.
func (w *walk) insist(what string, call func() (store.Answer, error)) store.Answer {
	for deadline := time.Now().Add(15 * time.Second); ; {
		a, err := call()
		if err == nil {
			return a
		}
		if time.Now().After(deadline) || w.ctx.Err() != nil {
			w.Errorf("%s: %v", what, err)
			return store.Answer{}
		}
	}
}

// operate is one owner's work, well or badly done, or an operator's.
func (w *walk) operate(random *rand.Rand, x *wish, token store.Token) {
	s := w.stores[random.IntN(len(w.stores))]
	q := claimOf(x.who, token)
	q.Policy, q.Start, q.ValidUntil = x.policy, random.IntN(2) == 0, store.TimeOf(time.Now().Add(time.Hour))
	if random.IntN(4) == 0 {
		q.Lease = time.Millisecond
	}
	advance := func(op store.Op, lease time.Duration) store.Verdict {
		ask := store.AdvanceRequest{Identity: x.who, Token: token, Op: op, Lease: lease}
		switch op {
		case store.OpRelease:
			ask.ValidUntil = q.ValidUntil
		case store.OpComplete:
			ask = completeOf(x.who, token, fmt.Sprintf("by %x", token[:4]))
			if x.who.Stamp != 0 && random.IntN(3) == 0 {
				ask.Window, ask.Guard = time.Millisecond, 0
			}
		}
		return w.insist(op.String(), func() (store.Answer, error) { return s.Advance(w.ctx, ask) }).Verdict
	}
	a := w.insist("claim", func() (store.Answer, error) { return s.Claim(w.ctx, q) })
	switch a.Verdict {
	case store.Granted, store.TakenOver:
	case store.Replay:
		x.told(w, string(a.Record.Reply))
		return
	case store.Unknown:
		d := store.DecideRequest{Identity: x.who, Token: token, Decision: store.Happened, Version: a.Record.Version, Reply: []byte("resolved " + x.who.Key), Window: 24 * time.Hour, Guard: time.Minute, Actor: "ops", Reason: "walk"}
		if got := w.insist("resolve", func() (store.Answer, error) { return s.Decide(w.ctx, d) }); got.Verdict == store.Applied {
			x.told(w, string(d.Reply))
		}
		return
	case store.InFlight:
		return
	case store.Expired:
		if x.who.Stamp != 0 {
			return
		}
		fallthrough
	default:
		w.Errorf("claim of %s: %v", x.who.Key, a.Verdict)
		return
	}
	if !q.Start {
		if random.IntN(4) == 0 {
			advance(store.OpRelease, 0)
			return
		}
		if v := advance(store.OpStart, q.Lease); v != store.Applied {
			if q.Lease > time.Second {
				w.Errorf("start of %s: %v", x.who.Key, v)
			}
			return // lapsed, and taken over
		}
	}
	x.effect(w)
	switch random.IntN(8) {
	case 0: // it is never heard of again
		if q.Lease > time.Second {
			advance(store.OpExtend, time.Millisecond)
		}
		return
	case 1:
		advance(store.OpExtend, time.Hour)
	}
	if v := advance(store.OpComplete, 0); v == store.Applied {
		x.told(w, fmt.Sprintf("by %x", token[:4]))
	} else if q.Lease > time.Second {
		w.Errorf("complete of %s: %v", x.who.Key, v)
	}
	if random.IntN(6) == 0 {
		if _, err := s.Purge(w.ctx, store.PurgeRequest{Limit: 20}); err == nil {
			w.count("purge")
		}
	}
}

func (x *wish) effect(w *walk) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.effects++; x.effects > 1 && x.policy == store.MarkUnknown {
		w.Errorf("%s took effect %d times", x.who.Key, x.effects)
	}
}

// told notes what was answered. An owner is told its own, and later callers the record's.
func (x *wish) told(w *walk, reply string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.reply != "" && x.reply != reply {
		w.Errorf("%s was answered %q, and then %q", x.who.Key, x.reply, reply)
	}
	x.reply = reply
}

// look stops all work and compares records, indexes and what was told.
func (w *walk) look(after string) {
	w.gate.Lock()
	defer w.gate.Unlock()
	var st store.Stats
	s := w.stores[0]
	w.insist("stats", func() (a store.Answer, err error) { st, err = s.Stats(w.ctx, "orders"); return a, err })
	if st.Watermark < w.sealed || st.Now < w.newest {
		w.Errorf("after %s: the watermark went from %d to %d, the clock from %d to %d", after, w.sealed, st.Watermark, w.newest, st.Now)
	}
	w.sealed, w.newest = st.Watermark, st.Now
	if w.Failed() {
		return // what was not answered shows nothing
	}
	var open, done int64
	var going []*wish
	old := make([]*wish, 0, 20)
	for range min(len(w.ended), cap(old)) {
		old = append(old, w.ended[rand.IntN(len(w.ended))]) // which ones, changes nothing
	}
	for i, x := range append(old, w.wishes...) {
		a := w.insist("get", func() (store.Answer, error) { return w.stores[1].Get(w.ctx, x.who) })
		if w.Failed() {
			return
		}
		ended := false
		switch {
		case a.Record.State == store.Done:
			if x.reply != "" && string(a.Record.Reply) != x.reply {
				w.Errorf("after %s: %s has %q, and was answered %q", after, x.who.Key, a.Record.Reply, x.reply)
			}
			x.reply = string(a.Record.Reply)
			ended = a.Record.PurgeAt > a.Now.Add(time.Hour)
			done++
		case a.Record.Open():
			open++
			if x.reply != "" {
				w.Errorf("after %s: %s was answered %q, and is %v", after, x.who.Key, x.reply, a.Record.State)
			}
		case (x.reply != "" || x.effects > 0) && (x.who.Stamp == 0 || x.who.Stamp > st.Watermark):
			w.Errorf("after %s: %s took effect %d times, was answered %q, and is forgotten", after, x.who.Key, x.effects, x.reply)
		}
		switch {
		case i < len(old):
			done--
		case x.round >= w.round || a.Record.Open() || a.Record.State == store.Done && !ended:
			going = append(going, x)
		case ended:
			w.ended = append(w.ended, x)
			done--
		}
	}
	w.wishes = going
	done += int64(len(w.ended))
	var page store.Page
	w.insist("list", func() (a store.Answer, err error) {
		page, err = s.List(w.ctx, store.ListRequest{Class: store.ClassOpen, Limit: store.MaxPage})
		return a, err
	})
	var unknown store.Page
	w.insist("list", func() (a store.Answer, err error) {
		unknown, err = s.List(w.ctx, store.ListRequest{Class: store.ClassUnknown, Limit: store.MaxPage})
		return a, err
	})
	if listed := int64(len(page.Records) + len(unknown.Records)); listed != open || st.Claimed+st.Started+st.Unknown != open || st.Done != done {
		w.Errorf("after %s: %d records are open and %d done; listed are %d and %d unknown, counted %+v", after, open, done, len(page.Records), len(unknown.Records), st)
	}
}
