package simulation

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
	"github.com/onceward/onceward/store/storetest"
)

const (
	service = "shop"
	skew    = 5 * time.Minute
)

// The hours of a run.
const (
	stormy     = 20 * time.Minute // until here everything fails
	firstProbe = 28 * time.Minute // everything that can end has ended
	settling   = 32 * time.Minute // the operator settles what is left
	lastProbe  = 38 * time.Minute
	reloading  = 42 * time.Minute // both servers start again, some with a longer window
	purging    = 20 * time.Minute // beyond window and allowance: by then every record has been purged
	copiesTake = 10 * time.Minute // in which the late copies arrive
)

// world is one run: what its seed has drawn, and everybody in it.
type world struct {
	*events
	*history
	broken brokenness

	weather, storeWeather, copying float64 // how much fails, 0 to 1
	window, longWindow             time.Duration
	copiesFrom                     time.Duration // when the late copies arrive
	clock                          storeClock

	network   *network
	oracle    *oracle
	ledger    *ledger
	store     store.Store
	fleet     fleet
	customers []*customer
	operator  *operator
	clients   []*oncehttp.Client
	locks     sync.Map // of the guard that is an expiring lock
}

func newWorld(seed uint64, broken brokenness) *world {
	w := &world{events: newEvents(dice(seed)), history: newHistory(), broken: broken, ledger: newLedger()}
	r := w.roll("world")
	w.weather, w.storeWeather = either(r, 0, 0.3, 1, 2), either(r, 0, 0.3, 1)
	w.copying = either(r, 0, 0.1, 0.4)
	w.window = either(r, 60*time.Minute, 75*time.Minute, 90*time.Minute)
	w.longWindow = time.Duration(1+r.IntN(3)) * w.window
	w.copiesFrom = reloading + w.window + skew + purging
	w.clock.draw(r)
	w.network, w.oracle = newNetwork(w), newOracle(w)
	w.store = memstore.New(memstore.Config{Clock: w.storeNow})
	if broken.store != nil {
		rules := storetest.RightRules()
		broken.store(&rules)
		w.store = storetest.NewReference(storetest.ReferenceConfig{
			Traits: store.Traits{Name: "reference", Notifies: true, ListsDone: true}, Clock: w.storeNow, Rules: &rules,
		})
	}
	for n := range 5 + r.IntN(5) {
		w.customers = append(w.customers, newCustomer(w, n))
	}
	w.operator = &operator{w, w.roll("operator")}
	return w
}

// simulate lets one seed run from beginning to end.
func simulate(t *testing.T, seed uint64, broken brokenness) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(seed, broken)
		for slot := range servers {
			w.boots(slot)
		}
		w.disasters()
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.unfolds()
		}()
		w.run(done)
		w.ends()
	})
	return w
}

// unfolds is the story of a run.
func (w *world) unfolds() {
	w.together(func(c *customer) { c.live() }, w.operator.works)
	w.sleepUntil(firstProbe)
	w.together(func(c *customer) {
		c.probe("first probe", onceward.ErrOutcomeUnknown, onceward.ErrNotExecuted, onceward.ErrKeyExpired, onceward.ErrKeyFromFuture)
	})
	w.sleepUntil(settling)
	w.operator.settlesAll()
	w.sleepUntil(lastProbe)
	w.together(func(c *customer) {
		c.probe("last probe", onceward.ErrNotExecuted, onceward.ErrKeyExpired, onceward.ErrKeyFromFuture)
	})
	w.sleepUntil(w.copiesFrom + copiesTake + 5*time.Minute)
}

// together runs everybody's part and waits for all.
func (w *world) together(part func(*customer), others ...func()) {
	var all sync.WaitGroup
	for _, c := range w.customers {
		all.Go(func() { part(c) })
	}
	for _, other := range others {
		all.Go(other)
	}
	all.Wait()
}

// ends takes everything down, so that no goroutine is left.
func (w *world) ends() {
	for _, p := range w.fleet.all() {
		p.die(true)
	}
	close(w.shut)
	for _, c := range w.clients {
		c.CloseIdleConnections()
	}
	synctest.Wait()
	_ = w.store.Close()
}

func (w *world) keep(c *oncehttp.Client) {
	w.history.mu.Lock()
	defer w.history.mu.Unlock()
	w.clients = append(w.clients, c)
}

func (w *world) stormy() bool { return w.now() < stormy }

// unlucky throws for something that fails in a storm only.
func (w *world) unlucky(r *rand.Rand, p float64) bool { return r.Float64() < p && w.stormy() }

func (w *world) sleep(d time.Duration)      { time.Sleep(d.Truncate(beat) + beat) }
func (w *world) sleepUntil(t time.Duration) { time.Sleep((t - w.now()).Truncate(beat)) }

// note writes something down for people who have to understand a run.
func (w *world) note(about, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.history.mu.Lock()
	defer w.history.mu.Unlock()
	w.notes = append(w.notes, remark{w.now(), about, text})
}

func (w *world) must(err error) {
	if err != nil {
		panic(err)
	}
}

// storeClock is the store's: apart from the true time, too fast or too slow, and it jumps.
type storeClock struct {
	ahead time.Duration
	drift float64
	jumps []jump
}

type jump struct{ at, by time.Duration }

func (c *storeClock) draw(r *rand.Rand) {
	c.ahead, c.drift = between(r, -2*time.Minute, 2*time.Minute), 0.002*(r.Float64()-0.5)
	for range r.IntN(3) {
		c.jumps = append(c.jumps, jump{between(r, 0, stormy), between(r, -3*time.Minute, 3*time.Minute)})
	}
	if r.IntN(12) == 0 { // never far back: a store's time stands still then, and with it the leases of the dead
		c.jumps = append(c.jumps, jump{between(r, 0, stormy), between(r, 10*time.Minute, 3*time.Hour)})
	}
}

func (w *world) storeNow() time.Time {
	t := w.now()
	ahead := w.clock.ahead + time.Duration(float64(t)*w.clock.drift)
	for _, j := range w.clock.jumps {
		if t >= j.at {
			ahead += j.by
		}
	}
	return time.Now().Add(ahead)
}
