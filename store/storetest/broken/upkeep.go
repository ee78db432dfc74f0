package broken

import (
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

var upkeep = []Store{
	{Name: "marks die with the process", Clause: "X3", Durable: true, Break: func(r *storetest.Rules) { r.Amnesia = true }},
	{Name: "clock goes back with its source", Clause: "X4", Break: func(r *storetest.Rules) {
		r.Now = func(_, now store.Time) store.Time { return now }
	}},
	{Name: "watermark goes back", Clause: "S1", Break: func(r *storetest.Rules) {
		r.Raise = func(_, until store.Time) store.Time { return until }
	}},
	{Name: "purge does not ask if the time is over", Clause: "P1", Break: func(r *storetest.Rules) {
		r.Purgeable = func(r store.Record, _ store.Time) bool { return r.State == store.Done }
	}},
	{Name: "purge removes lapsed claims", Clause: "P1", Break: func(r *storetest.Rules) {
		r.Purgeable = func(r store.Record, now store.Time) bool { return r.Purgeable(now) || r.Lapsed(now) }
	}},
	{Name: "purge does not seal", Clause: "P2", Break: func(r *storetest.Rules) {
		r.SealTo = func(_, _ store.Time) store.Time { return 0 }
	}},
	{Name: "purge seals to the clock", Clause: "P2", Break: func(r *storetest.Rules) {
		r.SealTo = func(_, now store.Time) store.Time { return now }
	}},
	{Name: "purge removes before it seals", Clause: "X1", Break: func(r *storetest.Rules) {
		r.PurgeGap = race(25 * time.Millisecond)
	}},
	{Name: "purge drops marks that live", Clause: "P4", Break: func(r *storetest.Rules) {
		r.Forget = func(_, _ store.Time) bool { return true }
	}},
}
