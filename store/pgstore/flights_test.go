package pgstore

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// Round trips of each call, counted on the connection once its statements are prepared.
func TestFlights(t *testing.T) {
	db := serving(t)
	var flights pgtest.Flights
	config := db.pool.Config()
	config.ConnConfig.DialFunc = flights.Dial
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	db.pool = pool
	s := db.fresh(t)
	for round := range byte(2) { // the first prepares
		count := func(what string, atMost int, v store.Verdict, call func() (store.Answer, error)) {
			t.Helper()
			before := flights.Count()
			a, err := call()
			want(t, a, err, v)
			if n := flights.Count() - before; round == 1 && n != atMost {
				t.Errorf("%s takes %d round trips, want %d", what, n, atMost)
			}
		}
		claim := func(key string, token byte) func() (store.Answer, error) {
			return func() (store.Answer, error) {
				q := claimOf(identity(key+string('a'+rune(round)), 0), tokenOf(token))
				q.Start, q.Lease = false, time.Nanosecond // a millisecond, the shortest
				if token == 1 {
					q.Lease = time.Hour
				}
				return s.Claim(t.Context(), q)
			}
		}
		advance := func(op store.Op, key string, token byte) func() (store.Answer, error) {
			return func() (store.Answer, error) {
				q := completeOf(identity(key+string('a'+rune(round)), 0), tokenOf(token), "reply")
				if q.Op = op; op != store.OpComplete {
					q.End, q.Reply, q.Lease = 0, nil, time.Hour
				}
				return s.Advance(t.Context(), q)
			}
		}
		count("a new claim", 1, store.Granted, claim("k", 1))
		count("a claim in flight", 1, store.InFlight, claim("k", 3))
		count("a start", 2, store.Applied, advance(store.OpStart, "k", 1))
		count("a heartbeat", 2, store.Applied, advance(store.OpExtend, "k", 1))
		count("a complete", 1, store.Applied, advance(store.OpComplete, "k", 1))
		count("a replay", 1, store.Replay, claim("k", 3))
		count("a look", 1, store.Replay, func() (store.Answer, error) { return s.Get(t.Context(), identity("k"+string('a'+rune(round)), 0)) })
		count("a claim that lapses", 1, store.Granted, claim("l", 2))
		move(t, s, time.Second)
		count("a takeover", 3, store.TakenOver, claim("l", 1))
		count("a release", 2, store.Applied, advance(store.OpRelease, "l", 1))
	}
}
