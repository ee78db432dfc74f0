package retry

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Nothing is the BudgetConfig rate that adds no tokens.
const Nothing = -1

// BudgetConfig configures a [Budget]. Fields at zero take their defaults.
type BudgetConfig struct {
	Capacity   float64 // tokens of a full bucket, which is what a host starts with; default 100
	PerSuccess float64 // tokens that a success gives back; default 0.1; or Nothing
	PerSecond  float64 // tokens that time gives back; default 1; or Nothing
	MaxHosts   int     // hosts with a bucket of their own; default 1024. Those beyond share one
	Clock      Clock   // its Monotonic is used
}

// Budget bounds the retries to each host, so that clients do not keep down a server that is down: a bucket of tokens,
// of which each retry takes one. First sends and polls take none. Clients may share a Budget; it is safe for concurrent use.
type Budget struct {
	config BudgetConfig

	mu       sync.Mutex
	buckets  map[string]*bucket
	overflow *bucket
}

type bucket struct {
	tokens float64
	at     time.Duration // on the monotonic clock
}

// NewBudget returns a Budget or all faults of its configuration.
func NewBudget(c BudgetConfig) (*Budget, error) {
	c.Clock = c.Clock.WithDefaults()
	if c.Capacity == 0 {
		c.Capacity = 100
	}
	if c.MaxHosts == 0 {
		c.MaxHosts = 1024
	}
	var faults []error
	if !(c.Capacity >= 1 && c.Capacity <= 1e9) { // refuses NaN as well
		faults = append(faults, fmt.Errorf("retry: BudgetConfig.Capacity is %v; use 1 to 1e9", c.Capacity))
	}
	if c.MaxHosts < 1 || c.MaxHosts > 1<<20 {
		faults = append(faults, fmt.Errorf("retry: BudgetConfig.MaxHosts is %d; use 1 to %d", c.MaxHosts, 1<<20))
	}
	faults = append(faults, rate(&c.PerSuccess, 0.1, "PerSuccess"), rate(&c.PerSecond, 1, "PerSecond"))
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	b := &Budget{config: c, buckets: map[string]*bucket{}}
	b.overflow = b.full()
	return b, nil
}

func rate(value *float64, byDefault float64, name string) error {
	switch {
	case *value == Nothing:
		*value = 0
	case *value == 0:
		*value = byDefault
	case !(*value > 0 && *value <= 1e9):
		return fmt.Errorf("retry: BudgetConfig.%s is %v; use more than 0 and at most 1e9, or Nothing", name, *value)
	}
	return nil
}

// wholeToken allows for the rounding of fractions: ten times 0.1 is less than 1.
const wholeToken = 1 - 1e-6

// take takes a token for a retry to host; false: there is none.
func (b *Budget) take(host string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.bucket(host)
	if k.tokens < wholeToken {
		return false
	}
	k.tokens = max(0, k.tokens-1)
	return true
}

// success gives back what a success is worth.
func (b *Budget) success(host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A host without a bucket has a full one in effect; nothing is stored for it.
	if _, known := b.buckets[host]; !known && len(b.buckets) < b.config.MaxHosts {
		return
	}
	k := b.bucket(host)
	k.tokens = min(b.config.Capacity, k.tokens+b.config.PerSuccess)
}

func (b *Budget) bucket(host string) *bucket {
	k, ok := b.buckets[host]
	switch {
	case ok:
	case len(b.buckets) < b.config.MaxHosts || b.sweep():
		k = b.full()
		b.buckets[host] = k
	default:
		k = b.overflow
	}
	b.refill(k)
	return k
}

// sweep forgets full buckets, which say nothing, and reports whether there is room now.
func (b *Budget) sweep() bool {
	for host, k := range b.buckets {
		if b.refill(k); k.tokens >= b.config.Capacity {
			delete(b.buckets, host)
		}
	}
	return len(b.buckets) < b.config.MaxHosts
}

func (b *Budget) refill(k *bucket) {
	now := b.config.Clock.Monotonic()
	k.tokens = min(b.config.Capacity, k.tokens+b.config.PerSecond*(now-k.at).Seconds())
	k.at = now
}

func (b *Budget) full() *bucket {
	return &bucket{tokens: b.config.Capacity, at: b.config.Clock.Monotonic()}
}
