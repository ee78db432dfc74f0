package sidecar

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/onceward/onceward/store"
)

// timedStore measures the calls that requests wait for. Everything else is the store's own.
type timedStore struct {
	store.Store
	claims, advances, failedClaims, failedAdvances prometheus.Observer
}

// newTimedStore returns a store that is a [store.Finder] if s is one.
func newTimedStore(s store.Store, seconds *prometheus.HistogramVec) store.Store {
	timed := &timedStore{
		Store:  s,
		claims: seconds.WithLabelValues("claim", "ok"), failedClaims: seconds.WithLabelValues("claim", "error"),
		advances: seconds.WithLabelValues("advance", "ok"), failedAdvances: seconds.WithLabelValues("advance", "error"),
	}
	if finder, ok := s.(store.Finder); ok {
		return struct {
			*timedStore
			store.Finder
		}{timed, finder}
	}
	return timed
}

func (s *timedStore) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	began := time.Now()
	a, err := s.Store.Claim(ctx, q)
	observe(s.claims, s.failedClaims, began, err)
	return a, err
}

func (s *timedStore) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	began := time.Now()
	a, err := s.Store.Advance(ctx, q)
	observe(s.advances, s.failedAdvances, began, err)
	return a, err
}

func observe(good, failed prometheus.Observer, began time.Time, err error) {
	if err != nil {
		good = failed
	}
	good.Observe(time.Since(began).Seconds())
}
