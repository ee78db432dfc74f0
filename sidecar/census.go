package sidecar

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/onceward/onceward/store"
)

// census counts the store's records when metrics are asked for, but not more often than censusEvery: a store may have to look at many.
type census struct {
	store   store.Store
	service string

	mu   sync.Mutex
	at   time.Time
	last store.Stats
	ok   bool
}

const (
	censusEvery   = 10 * time.Second
	censusTimeout = 5 * time.Second
)

var (
	recordsDesc = prometheus.NewDesc("onceward_records", "Records of this service by state.", []string{"state"}, nil)
	bytesDesc   = prometheus.NewDesc("onceward_store_bytes", "Size of this service's records, as the store counts it.", nil, nil)
	oldestDesc  = prometheus.NewDesc("onceward_oldest_unknown_seconds", "For how long the oldest unknown operation has waited for somebody; 0: there is none.", nil, nil)
	storeUpDesc = prometheus.NewDesc("onceward_store_up", "1: the store has answered.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (c *census) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recordsDesc, bytesDesc, oldestDesc, storeUpDesc} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *census) Collect(out chan<- prometheus.Metric) {
	st, ok := c.count()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if !ok {
		gauge(storeUpDesc, 0)
		return
	}
	gauge(storeUpDesc, 1)
	for state, n := range map[string]int64{"claimed": st.Claimed, "started": st.Started, "unknown": st.Unknown, "done": st.Done} {
		gauge(recordsDesc, float64(n), state)
	}
	gauge(bytesDesc, float64(st.Bytes))
	oldest := 0.0
	if st.OldestUnknown != 0 {
		oldest = max(0, st.Now.Sub(st.OldestUnknown).Seconds())
	}
	gauge(oldestDesc, oldest)
}

func (c *census) count() (store.Stats, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < censusEvery {
		return c.last, c.ok
	}
	ctx, cancel := context.WithTimeout(context.Background(), censusTimeout)
	defer cancel()
	st, err := c.store.Stats(ctx, c.service)
	c.last, c.ok, c.at = st, err == nil, time.Now()
	return c.last, c.ok
}
