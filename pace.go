package onceward

import (
	"math/rand/v2"
	"time"
)

// Bounds of what a caller is asked to wait for an operation in flight.
const (
	minRetryAfter = 10 * time.Millisecond
	maxRetryAfter = 30 * time.Second
)

// observe adds the duration of a run to the moving average, with a weight of one eighth as in RFC 6298.
func (c *core) observe(ran time.Duration) {
	was := c.pace.Load()
	now := int64(ran)
	if was != 0 {
		now = was + (int64(ran)-was)/8
	}
	c.pace.Store(max(now, 1)) // a race loses one sample
}

// retryAfter is how long a run takes as observed; it says nothing about the lease.
func (c *core) retryAfter() time.Duration {
	return min(max(time.Duration(c.pace.Load()), minRetryAfter), maxRetryAfter)
}

// poll spaces the reads of a waiter: from 10 ms, doubling to 500 ms, each with full jitter over its upper half, so that waiters
// in many processes do not ask in step.
type poll struct{ step time.Duration }

func newPoll() *poll { return &poll{step: 10 * time.Millisecond} }

func (p *poll) next() time.Duration {
	d := p.step/2 + rand.N(p.step/2)
	p.step = min(2*p.step, 500*time.Millisecond)
	return d
}
