package storetest

import (
	"time"

	"github.com/onceward/onceward/store"
)

var clockCases = []Case{
	{"X4_the_clock_never_goes_back", x4},
	{"X4_the_clock_never_goes_back_for_many_callers", x4Many},
	{"X4_every_method_shows_the_same_clock", x4Same},
}

func x4(w *world) {
	before := w.now()
	for range 5 {
		w.pass(w.short / 4)
		now := w.now()
		if now < before {
			w.Fatalf("the store's clock went back from %d to %d", before, now)
		}
		before = now
	}
	if w.h.StepBack == nil {
		w.Log("not covered: the clock from which the store takes its time cannot be set back here")
		return
	}
	r := w.lapsed()
	before = w.now()
	w.h.StepBack(w.TB, w.store, long)
	if now := w.now(); now < before {
		w.Errorf("its source was set back, and the store's clock went back from %d to %d", before, now)
	}
	w.want(w.advance(store.OpExtend, r.Identity, r.Token), store.Lapsed) // what was seen lapsed stays lapsed
	w.want(w.claim(w.key(), w.token()), store.Granted)                   // and work goes on
}

func x4Many(w *world) {
	keys := []store.Identity{w.key(), w.key(), w.key(), w.key(), w.key(), w.key(), w.key(), w.key()}
	race(len(keys), func(i int) {
		var last store.Time
		for n := range 50 {
			a, err := w.store.Get(w.ctx, keys[(i+n)%len(keys)])
			if err != nil || a.Now < last {
				w.Errorf("Get after %d: %d, %v", last, a.Now, err)
				return
			}
			last = a.Now
		}
	})
}

func x4Same(w *world) {
	r := w.claimed()
	last := w.now()
	for name, read := range map[string]func() (store.Time, error){
		"Stats": func() (store.Time, error) { s, err := w.store.Stats(w.ctx, ""); return s.Now, err },
		"List": func() (store.Time, error) {
			p, err := w.store.List(w.ctx, store.ListRequest{Class: store.ClassOpen, Limit: 1})
			return p.Now, err
		},
		"Purge": func() (store.Time, error) {
			p, err := w.store.Purge(w.ctx, store.PurgeRequest{Limit: 1})
			return p.Now, err
		},
		"Advance": func() (store.Time, error) {
			a, err := w.store.Advance(w.ctx, advanceRequest(store.OpExtend, r.Identity, r.Token))
			return a.Now, err
		},
	} {
		now, err := read()
		if err != nil || now < last || now.Sub(last) > patience {
			w.Errorf("%s shows %v, %v, just after %v", name, now.Std().Format(time.RFC3339Nano), err, last.Std().Format(time.RFC3339Nano))
		}
		last = max(last, now)
		if now := w.now(); now < last {
			w.Errorf("Get shows %v, just after %s has shown %v", now.Std().Format(time.RFC3339Nano), name, last.Std().Format(time.RFC3339Nano))
		}
	}
}
