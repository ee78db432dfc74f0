package redisstore

import (
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
	"github.com/onceward/onceward/store/storetest"
)

// TestStoretest holds the store to every clause, on a server alone.
func TestStoretest(t *testing.T) {
	t.Parallel() // it has a server of its own
	s := redistest.Own(t, redistest.Config{Settings: map[string]string{"appendonly": "yes", "appendfsync": "always"}})
	conform(t, func(t testing.TB, c Config) *Store { return openAt(t, c, s.Address()) })
}

func conform(t *testing.T, open func(testing.TB, Config) *Store) {
	t.Helper()
	const lag = 2 * time.Second
	config := func() Config {
		return Config{Prefix: freshPrefix(), Shards: 5, movable: true, bucket: lag, unsealed: true, AllowLossyFailover: true, Timeout: time.Minute}
	}
	first := open(t, config())
	storetest.Run(t, storetest.Harness{
		New:      func(t testing.TB) store.Store { return open(t, config()) },
		Traits:   first.Traits(),
		PurgeLag: lag,
		Advance:  func(t testing.TB, s store.Store, d time.Duration) { move(t, s.(*Store), d) },
		StepBack: func(t testing.TB, s store.Store, d time.Duration) { move(t, s.(*Store), -d) },
		Reopen: func(t testing.TB, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return open(t, s.(*Store).config)
		},
		// Another process opens the store while the first one has not ended; TestKill kills the server.
		Crash: func(t testing.TB, s store.Store) store.Store { return open(t, s.(*Store).config) },
	})
}
