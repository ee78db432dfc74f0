package rounds

import "slices"

// Median is the middle of the rounds, in nanoseconds for one time.
func (r Result) Median() float64 { return quantile(r.Nanos, 0.5) }

// Spread is what the middle half of the rounds lies between.
func (r Result) Spread() (low, high float64) { return quantile(r.Nanos, 0.25), quantile(r.Nanos, 0.75) }

// Over is the median of what r took more than base, round by round, in nanoseconds: both met the same machine in the same round.
func (r Result) Over(base Result) float64 {
	more := make([]float64, len(r.Nanos))
	for i := range more {
		more[i] = r.Nanos[i] - base.Nanos[i]
	}
	return quantile(more, 0.5)
}

// Speed is the median of how fast r was against base, round by round: 1 is as fast, 0.5 half as fast.
func (r Result) Speed(base Result) float64 {
	ratios := make([]float64, len(r.Nanos))
	for i := range ratios {
		ratios[i] = base.Nanos[i] / r.Nanos[i]
	}
	return quantile(ratios, 0.5)
}

// quantile interpolates between the two values that are nearest to q of the sorted ones.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
