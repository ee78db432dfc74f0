package onceward_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// diary is a store that writes down when each call on it began and ended. Renewals take half a second.
type diary struct {
	store.Store
	mu      sync.Mutex
	lines   []string
	offline bool // completions fail
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) setOffline(is bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offline = is
}

func (d *diary) fails(op store.Op) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.offline && op == store.OpComplete
}

func (d *diary) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	d.note("claim")
	return d.Store.Claim(ctx, q)
}

func (d *diary) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if d.fails(q.Op) {
		return store.Answer{}, errWire
	}
	if q.Op == store.OpExtend {
		d.note("extend begins")
		time.Sleep(time.Second / 2)
	}
	defer d.note(q.Op.String())
	return d.Store.Advance(ctx, q)
}

func (d *diary) Close() error {
	d.note("store closed")
	return d.Store.Close()
}

// since returns the lines from the first that is mark on, and how many of them are which.
func (d *diary) since(mark string) (lines []string, count map[string]int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	count = make(map[string]int)
	lines = slices.Clone(d.lines[max(0, slices.Index(d.lines, mark)):])
	for _, l := range lines {
		count[l]++
	}
	return lines, count
}

// closing starts functions of that length, closes the guard under load after a second, and returns the diary from there on.
func closing(t *testing.T, functions int, length time.Duration, prepare func(*diary)) (lines []string, count map[string]int) {
	t.Helper()
	d := &diary{Store: memstore.New(memstore.Config{})}
	prepare(d)
	g, err := onceward.New(d, onceward.Config{Lease: 3 * time.Second, SaveLimit: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, functions)
	for range functions {
		go func() {
			_, err := g.Do(ctx, call(mint(t), "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
				time.Sleep(length)
				return onceward.Save(reply("done"))
			})
			answers <- err
		}()
	}
	sleepPast(time.Second)
	d.note("close begins")
	closed := make(chan error, 1)
	go func() { closed <- g.Close(ctx) }()
	synctest.Wait()
	var late sync.WaitGroup
	for range functions { // the load does not know yet
		late.Go(func() {
			_, err := g.Do(ctx, call(mint(t), "x"), nil)
			wantErr(t, err, onceward.ErrClosed)
		})
	}
	late.Wait()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	d.note("close returned")
	for range functions {
		if err := <-answers; err != nil && !errors.Is(err, onceward.ErrReplyNotSaved) {
			t.Error(err)
		}
	}
	sleepPast(time.Second) // whatever was left under way writes its line
	return d.since("close begins")
}

// A goroutine that is left over fails the bubble of each of these tests.

func TestCloseStopsClaimsAndLetsFunctionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines, count := closing(t, 50, 20*time.Second, func(*diary) {})
		if count["claim"] != 0 {
			t.Errorf("%d claims after Close", count["claim"])
		}
		if count["extend"] < 50*10 {
			t.Errorf("%d renewals: heartbeats go on until the functions have ended", count["extend"])
		}
		if count["complete"] != 50 || slices.Index(lines, "store closed") < slices.Index(lines, "complete") {
			t.Errorf("%d replies saved", count["complete"])
		}
		wantLast(t, lines)
	})
}

func TestCloseWaitsForRepliesThatAreStillBeingSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, count := closing(t, 20, time.Millisecond, func(d *diary) {
			d.setOffline(true)
			time.AfterFunc(30*time.Second, func() { d.setOffline(false) })
		})
		if count["complete"] != 20 {
			t.Errorf("%d replies settled, want 20", count["complete"])
		}
	})
}

func TestCloseWaitsForARenewalUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines, _ := closing(t, 1, 1200*time.Millisecond, func(*diary) {}) // the first renewal takes from 1.0 to 1.5 s
		if !slices.Contains(lines, "extend") {
			t.Fatalf("no renewal was under way: %v", lines)
		}
		wantLast(t, lines)
	})
}

// wantLast expects that nothing reached the store once it was closed, and that Close returned after that.
func wantLast(t *testing.T, lines []string) {
	t.Helper()
	if want := []string{"store closed", "close returned"}; len(lines) < 2 || !slices.Equal(lines[len(lines)-2:], want) {
		t.Errorf("the diary ends with %v, want %v", lines[max(0, len(lines)-6):], want)
	}
}

func TestASecondCloseWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		route, err := w.a.With(func(c *onceward.Config) { c.OnLapse = onceward.Rerun })
		if err != nil {
			t.Fatal(err)
		}
		var saved atomic.Bool
		go func() {
			_, _ = w.a.Do(ctx, call(mint(t), "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
				time.Sleep(10 * time.Second)
				saved.Store(true)
				return onceward.Save(reply("x"))
			})
		}()
		synctest.Wait()
		go func() { _ = w.a.Close(ctx) }()
		synctest.Wait()
		if err := route.Close(ctx); err != nil || !saved.Load() {
			t.Errorf("closed with %v while a function runs", err)
		}
	})
}
