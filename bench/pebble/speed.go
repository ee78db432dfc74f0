// Package pebble measures the embedded store: its speed beside a bare log on the same disk, and what a million records cost.
package pebble

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pebblestore"
)

// Speed is what so many writers reach.
type Speed struct {
	Writers          int
	Store, Bare, Log rounds.Result
	Sync             time.Duration // of the bare log's file, on average
}

// MeasureSpeed measures claim and completion, both durable, at each number of writers. The folder decides which disk is measured.
func MeasureSpeed(folder string, plan rounds.Plan, writers ...int) (all []Speed, err error) {
	for _, n := range writers {
		s, err := measureSpeed(folder, plan, n)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func measureSpeed(folder string, plan rounds.Plan, writers int) (out Speed, err error) {
	dir, err := os.MkdirTemp(folder, "bench")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	s, err := pebblestore.Open(dir+"/store", pebblestore.Config{})
	if err != nil {
		return out, err
	}
	l, err := newLog(dir)
	if err != nil {
		return out, errors.Join(err, s.Close())
	}
	p, err := newBare(dir + "/bare")
	if err != nil {
		return out, err
	}
	var next atomic.Uint64
	many := func(cycle func(i uint64) error) func(n int) {
		return func(n int) {
			rounds.Share(writers, n, func(int) {
				if err := cycle(next.Add(1)); err != nil {
					panic(err)
				}
			})
		}
	}
	plan.Ops = plan.Ops * min(writers, 64) / 64 // a single writer waits for two syncs each time
	results := rounds.Run(plan,
		rounds.Contender{Name: "store", Round: many(func(i uint64) error { return cycle(s, i, store.TimeOf(time.Now())) })},
		rounds.Contender{Name: "bare Pebble", Round: many(p.cycle)},
		rounds.Contender{Name: "bare log", Round: many(func(i uint64) error { return logCycle(l, i) })},
	)
	out = Speed{Writers: writers, Store: results[0], Bare: results[1], Log: results[2], Sync: l.syncTime / time.Duration(max(l.syncs, 1))}
	return out, errors.Join(s.Close(), p.db.Close(), l.close())
}
