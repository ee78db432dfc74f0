package pebblestore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

// seeds calls run with one seed after another: many in a soak, and only ONCEWARD_SEED if it is set.
func seeds(t *testing.T, few, many uint64, run func(t *testing.T, seed uint64)) {
	t.Helper()
	first, last := uint64(1), few
	if underRace { // the same seeds run without it
		last = max(few/10, 4)
	}
	if os.Getenv("ONCEWARD_SOAK") != "" {
		last = many
	}
	if text := os.Getenv("ONCEWARD_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, last = n, n
	}
	for seed := first; seed <= last && !t.Failed(); seed++ {
		run(t, seed)
		if t.Failed() {
			t.Errorf("seed %d; ONCEWARD_SEED=%d repeats it", seed, seed)
		}
	}
	t.Logf("seeds %d to %d", first, last)
}

// Random steps, seals and purges; the power is lost at a random write, three times. What was acknowledged is there and whole; what was under way is
// there or not, and whole; the watermark has not gone back; and the check finds nothing.
func TestPowerLoss(t *testing.T) {
	seeds(t, 200, 5000, func(t *testing.T, seed uint64) {
		l := &losing{TB: t, rng: rand.New(rand.NewPCG(seed, 0)), records: map[store.Identity]store.Record{}, sealed: map[string]store.Time{}, tables: 64 << 10, after: func() {}}
		l.clock.t = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		disk := vfs.NewCrashableMem()
		for range 3 {
			l.fs = newFailing(disk, 1+l.rng.IntN(400), []int{0, 50, 90}[l.rng.IntN(3)], l.rng.Uint64())
			l.live()
			disk = l.fs.after()
			if l.look(disk); t.Failed() {
				return
			}
		}
	})
}

// losing drives one store by the pure functions, until the power is lost.
type losing struct {
	testing.TB
	durability Durability
	tables     int64
	seldom     bool // purges, which sync all that was before
	rng        *rand.Rand
	clock      settable
	fs         *failing
	records    map[store.Identity]store.Record // acknowledged
	sealed     map[string]store.Time           // acknowledged or seen
	after      func()                          // each step
	flight     store.Identity                  // under way when the power was lost
	maybe      store.Record                    // what it would have become
	mayFail    bool                            // the disk, not only the power
	err        error                           // of the newest call then
}

func (l *losing) config(f vfs.FS) Config {
	return Config{Durability: l.durability, Bucket: testBucket, Clock: l.clock.now, Logf: l.Logf, fs: f, tables: l.tables, moves: 2}
}

func (l *losing) live() {
	l.flight = store.Identity{}
	s, err := Open("store", l.config(l.fs))
	if err != nil {
		l.Fatal(err)
	}
	defer s.Close()
	for !l.fs.crashed() {
		switch n := l.rng.IntN(20); {
		case n < 14:
			l.step(s)
		case n < 17:
			l.clock.move(time.Duration(l.rng.IntN(5000)) * time.Millisecond)
		case n < 18:
			service, until := "orders", store.TimeOf(l.clock.now())-store.Time(l.rng.IntN(20_000))
			if at, err := s.Seal(context.Background(), service, until); err != nil {
				l.Fatal(err)
			} else if !l.fs.crashed() {
				l.sealed[service] = at
			}
		case l.seldom && l.rng.IntN(20) > 0:
			l.step(s)
		default:
			if _, err := s.Purge(context.Background(), store.PurgeRequest{Limit: []int{1, 3, 1000}[l.rng.IntN(3)]}); err != nil {
				l.Fatal(err)
			}
			l.forget(s)
		}
		l.after()
	}
}

// forget takes what an acknowledged purge has removed out of the model. If the power was lost during the purge, either is right.
func (l *losing) forget(s *Store) {
	if !l.mayFail && l.fs.crashed() {
		return
	}
	for who, r := range l.records {
		a, err := s.Get(context.Background(), who)
		if l.err = err; err != nil {
			l.must(err)
			return
		}
		l.sealed[who.Service] = max(l.sealed[who.Service], a.Watermark)
		if a.Record.State == store.Absent && r.Purgeable(a.Now) {
			l.records[who] = a.Record
		}
	}
}

// step makes a claim, a completion or a release. It is acknowledged if the power was still there when it was answered.
func (l *losing) step(s *Store) {
	who := l.who()
	r := l.records[who]
	token := tokenOf(l.rng.Uint64())
	var a store.Answer
	var err error
	now := store.TimeOf(l.clock.now())
	env := store.Env{Now: now, Watermark: l.sealed[who.Service]}
	var maybe store.Step
	switch n := l.rng.IntN(10); {
	case r.Open() && n < 6:
		q := completeOf(who, r.Token, fmt.Sprintf("%d %0*d", l.rng.Uint64(), l.rng.IntN(2000), 7))
		maybe = store.Advance(r, q, env)
		a, err = s.Advance(context.Background(), q)
	case r.Open() && n < 8:
		q := store.AdvanceRequest{Identity: who, Token: r.Token, Op: store.OpExtend + store.Op(3*l.rng.IntN(2)), Lease: 7 * time.Second, ValidUntil: now + 5000}
		maybe = store.Advance(r, q, env)
		a, err = s.Advance(context.Background(), q)
	default:
		q := claimOf(who, token)
		maybe = store.Claim(r, q, env)
		a, err = s.Claim(context.Background(), q)
	}
	l.err = err
	switch {
	case err != nil:
		l.must(err)
		fallthrough
	case !l.mayFail && l.fs.crashed():
		l.flight, l.maybe = who, maybe.Answer.Record
		return
	}
	l.sealed[who.Service] = max(l.sealed[who.Service], a.Watermark)
	l.records[who] = a.Record
}

// must fails the test after an error, unless the disk may fail.
func (l *losing) must(err error) {
	if !l.mayFail {
		l.Fatal(err)
	}
}

// who draws one of a few operations, so that they meet again; new stamps come with the time.
func (l *losing) who() store.Identity {
	n := l.rng.IntN(6)
	if l.rng.IntN(2) == 0 {
		return identity(fmt.Sprint("u", n), 0)
	}
	at := store.TimeOf(l.clock.now())
	at -= at%1000 + store.Time(n*1000)
	return identity(fmt.Sprint("s", at), at)
}

// look opens what the loss has left.
func (l *losing) look(disk *vfs.MemFS) {
	c := l.config(disk.CrashClone(vfs.CrashCloneCfg{}))
	s, err := Open("store", c)
	if err != nil {
		l.Errorf("open after the loss: %v", err)
		return
	}
	defer s.Close()
	sound(l, s)
	for who, want := range l.records {
		a, err := s.Get(context.Background(), who)
		if err != nil {
			l.Error(err)
			return
		}
		if a.Watermark < l.sealed[who.Service] {
			l.Errorf("the watermark was %d, and after the loss %d", l.sealed[who.Service], a.Watermark)
		}
		switch {
		case reflect.DeepEqual(a.Record, want), who == l.flight && reflect.DeepEqual(a.Record, l.maybe):
		case a.Record.State == store.Absent && want.Purgeable(a.Now) && who.Stamp <= a.Watermark: // purged; unstamped: 0
		default:
			l.Errorf("acknowledged of %s: %s; after the loss %s, watermark %d (in flight: %v)", who.Key, sketch(want), sketch(a.Record), a.Watermark, who == l.flight)
		}
		l.records[who] = a.Record
	}
	if a, err := s.Get(context.Background(), l.flight); err == nil {
		l.records[l.flight] = a.Record
	}
	for service := range l.sealed {
		st, err := s.Stats(context.Background(), service)
		if err != nil {
			l.Error(err)
		}
		l.sealed[service] = st.Watermark
	}
}

func sketch(r store.Record) string {
	return fmt.Sprintf("%v by %x, lease %d, version %d, over at %d, reply of %d bytes", r.State, r.Token[:2], r.Lease, r.Version, r.PurgeAt, len(r.Reply))
}

// Many callers share their syncs while the power is lost.
func TestPowerLossUnderManyWriters(t *testing.T) {
	seeds(t, 40, 2000, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		f := newFailing(vfs.NewCrashableMem(), 20+rng.IntN(300), []int{0, 50, 90}[rng.IntN(3)], seed)
		clock := &settable{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		c := Config{Bucket: testBucket, Clock: clock.now, Logf: t.Logf, fs: f, tables: 64 << 10}
		s, err := Open("store", c)
		if err != nil {
			t.Fatal(err)
		}
		var done, claimed sync.Map
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for n := 0; !f.crashed(); n++ {
					who, token := identity(fmt.Sprint(w, " ", n), 0), tokenOf(uint64(w<<20|n))
					if n%2 == 0 {
						who.Stamp = store.TimeOf(clock.now())
					}
					if _, err := s.Claim(context.Background(), claimOf(who, token)); err != nil || f.crashed() {
						return
					}
					claimed.Store(who, token)
					if _, err := s.Advance(context.Background(), completeOf(who, token, who.Key)); err != nil || f.crashed() {
						return
					}
					done.Store(who, true)
				}
			})
		}
		all.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		c.fs = f.after()
		if s, err = Open("store", c); err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sound(t, s)
		for who, token := range claimed.Range {
			a, err := s.Get(context.Background(), who.(store.Identity))
			_, finished := done.Load(who)
			switch {
			case err != nil || a.Record.Token != token:
				t.Errorf("an acknowledged claim is gone: %v, %v", a.Verdict, err)
			case finished && string(a.Record.Reply) != a.Record.Key:
				t.Errorf("an acknowledged reply is gone: %v %q", a.Verdict, a.Record.Reply)
			case a.Record.State == store.Done && string(a.Record.Reply) != a.Record.Key:
				t.Errorf("a reply that was under way is there in part: %q", a.Record.Reply)
			}
		}
	})
}

// sound fails unless the invariants hold.
func sound(t testing.TB, s *Store) {
	t.Helper()
	c, err := s.check()
	if err != nil {
		t.Errorf("check: %v", err)
	}
	for _, fault := range c.Faults {
		t.Errorf("check: %s", fault)
	}
}

func identity(key string, stamp store.Time) store.Identity {
	return store.Identity{ID: sha256.Sum256([]byte(key)), Service: "orders", Principal: "alice", Key: key, Stamp: stamp}
}

func tokenOf(n uint64) (t store.Token) {
	sum := sha256.Sum256(fmt.Appendf(nil, "token %d", n))
	copy(t[:], sum[:])
	return t
}

const (
	testWindow = 10 * time.Second
	testGuard  = time.Second
)

func claimOf(who store.Identity, t store.Token) store.ClaimRequest {
	return store.ClaimRequest{
		Identity: who, Token: t, Fingerprints: []store.Fingerprint{{Version: 1, Sum: sha256.Sum256([]byte(who.Key))}}, Start: true,
		Lease: 5 * time.Second, Window: testWindow, Guard: testGuard, Reserve: 4 << 10,
	}
}

func completeOf(who store.Identity, t store.Token, reply string) store.AdvanceRequest {
	return store.AdvanceRequest{
		Identity: who, Token: t, Op: store.OpComplete, End: store.EndReply, Reply: []byte(reply), Window: testWindow, Guard: testGuard,
	}
}

// Once Open has returned, the marker says for good that the store is complete.
func TestPowerLossKeepsTheMarker(t *testing.T) {
	mem := vfs.NewCrashableMem()
	c := Config{fs: mem, Logf: t.Logf}
	s, err := Open("store", c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := lookMarker(mem.CrashClone(vfs.CrashCloneCfg{}), "store")
	if err != nil || !m.complete {
		t.Errorf("the marker after the loss: %v, %v", m, err)
	}
}

// A process's crash forgets nothing with the weaker setting either: what the operating system has is there. A loss of power may.
func TestConformanceThroughProcessCrashes(t *testing.T) {
	h := harness(ProcessCrash)
	h.Crash = func(t testing.TB, s store.Store) store.Store {
		left := s.(*Store).config.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return again(t, s.(*Store), left)
	}
	for _, c := range storetest.Cases() {
		if c.Clause() == "X3" {
			t.Run(c.Name, func(t *testing.T) { c.Run(t, h) })
		}
	}
}

// Where the weaker setting ends: the newest writes are lost with the power, and the store is whole without them.
func TestLimitProcessCrashLosesTheNewestWithThePower(t *testing.T) {
	s := begin(t, Config{Durability: ProcessCrash, Bucket: testBucket})
	who := identity("lost", 0)
	if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
		t.Fatal(err)
	}
	left := s.config.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	after := again(t, s, left)
	defer after.Close()
	sound(t, after)
	if a, err := after.Get(t.Context(), who); err != nil || a.Record.State != store.Absent {
		t.Errorf("after the loss: %v, %v; if nothing is lost, Traits may promise more", a.Verdict, err)
	}
}
