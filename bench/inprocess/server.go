package inprocess

import (
	"net/http"
	"sync"

	"github.com/onceward/onceward/bench/rounds"
)

// bare is the handler alone.
func bare(p payload, callers int) rounds.Contender {
	h := http.HandlerFunc(handler)
	var keys []string
	return rounds.Contender{
		Name:    "bare handler",
		Prepare: func(n int) { keys = mint(n) },
		Round: func(int) {
			parallel(callers, keys, func(mine []string) {
				e := newExchange(p)
				for _, key := range mine {
					e.serve(h, key)
				}
			})
		},
	}
}

// fresh gives each request a key of its own, over a store that begins empty.
func fresh(name string, p payload, callers int) rounds.Contender {
	var s *shop
	var keys []string
	return rounds.Contender{
		Name: name,
		Prepare: func(n int) {
			s.close()
			s, keys = newShop(), mint(n)
		},
		Round: func(int) {
			parallel(callers, keys, func(mine []string) {
				e := newExchange(p)
				for _, key := range mine {
					e.serve(s.handler, key)
				}
			})
		},
	}
}

const remembered = 1_000 // keys that are replayed in turn

func replay(name string, p payload, callers int) rounds.Contender {
	s, keys := newShop(), mint(remembered)
	e := newExchange(p)
	for _, key := range keys {
		e.serve(s.handler, key)
	}
	var turns []string
	return rounds.Contender{
		Name: name,
		Prepare: func(n int) {
			for len(turns) < n {
				turns = append(turns, keys...)
			}
			turns = turns[:n]
		},
		Round: func(int) {
			parallel(callers, turns, func(mine []string) {
				e := newExchange(p)
				for _, key := range mine {
					e.serve(s.handler, key)
				}
			})
		},
	}
}

// floor is the ingredients of a new key.
func floor(callers int) rounds.Contender {
	var t *ingredients
	var keys []string
	return rounds.Contender{
		Name:    "bare ingredients",
		Prepare: func(n int) { t, keys = newIngredients(), mint(n) },
		Round: func(int) {
			parallel(callers, keys, func(mine []string) {
				for _, key := range mine {
					t.do(key, opaque.body)
				}
			})
		},
	}
}

// parallel deals the keys out to callers that work at the same time.
func parallel(callers int, keys []string, work func(mine []string)) {
	if callers == 1 {
		work(keys)
		return
	}
	var all sync.WaitGroup
	for i := range callers {
		mine := keys[i*len(keys)/callers : (i+1)*len(keys)/callers]
		all.Go(func() { work(mine) })
	}
	all.Wait()
}
