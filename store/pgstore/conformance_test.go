package pgstore

import (
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

func TestConformance(t *testing.T) {
	db := serving(t)
	first := db.fresh(t)
	schema := first.config.Schema
	storetest.Run(t, storetest.Harness{
		New:      func(t testing.TB) store.Store { return db.emptied(t, schema) },
		Traits:   first.Traits(),
		Advance:  func(t testing.TB, s store.Store, d time.Duration) { move(t, s.(*Store), d) },
		StepBack: func(t testing.TB, s store.Store, d time.Duration) { move(t, s.(*Store), -d) },
		Reopen: func(t testing.TB, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return db.again(t, schema)
		},
		// Another process opens the tables while the first one has not ended.
		Crash: func(t testing.TB, s store.Store) store.Store { return db.again(t, schema) },
	})
}
