package sidecar

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// timer adds up what others take of the time of one request: the upstream, and the client while it sends. Safe for concurrent use.
type timer struct{ spent atomic.Int64 }

type timerKey struct{}

func timerOf(ctx context.Context) *timer {
	t, _ := ctx.Value(timerKey{}).(*timer)
	return t
}

func (t *timer) add(d time.Duration) {
	if t != nil {
		t.spent.Add(int64(d))
	}
}

// over is the time since began that is our own.
func (t *timer) over(began time.Time) time.Duration {
	return max(0, time.Since(began)-time.Duration(t.spent.Load()))
}

// reading is a body whose reading is somebody else's time.
type reading struct {
	io.ReadCloser
	timer *timer
}

func (r *reading) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := r.ReadCloser.Read(p)
	r.timer.add(time.Since(began))
	return n, err
}
