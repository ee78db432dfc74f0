package simulation

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// dice decides everything. What is thrown depends on the seed and on a label that names who asks and how often it has asked, never on the order
// in which goroutines happen to run.
type dice uint64

func (d dice) roll(label string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(label))
	return rand.New(rand.NewPCG(mix(uint64(d)), mix(h.Sum64())))
}

// mix is the finaliser of SplitMix64: neighbouring seeds have nothing in common.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// between draws a duration.
func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)+1))
}

// either draws one of several.
func either[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// weighted draws a name; the weights are in per mille, and what is missing to a thousand is "".
func weighted(r *rand.Rand, options []option) string {
	n := r.IntN(1000)
	for _, o := range options {
		if n -= o.weight; n < 0 {
			return o.name
		}
	}
	return ""
}

type option struct {
	name   string
	weight int
}
