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
	seconds *prometheus.HistogramVec
}

func (s *timedStore) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	began := time.Now()
	a, err := s.Store.Claim(ctx, q)
	s.observe("claim", began, err)
	return a, err
}

func (s *timedStore) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	began := time.Now()
	a, err := s.Store.Advance(ctx, q)
	s.observe("advance", began, err)
	return a, err
}

func (s *timedStore) observe(call string, began time.Time, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	s.seconds.WithLabelValues(call, result).Observe(time.Since(began).Seconds())
}
