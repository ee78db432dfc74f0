package retry

import "time"

// ceiling is min(limit, base·2ⁿ) without overflow.
func ceiling(base, limit time.Duration, n int) time.Duration {
	for range n {
		if base > limit/2 {
			return limit
		}
		base *= 2
	}
	return min(base, limit)
}

// backoff is "full jitter": evenly spread over 0 to min(limit, base·2ⁿ). Of the usual jitters it lets many contending clients finish
// soonest and with the fewest calls (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015). random is in [0, 1).
func backoff(base, limit time.Duration, n int, random float64) time.Duration {
	return time.Duration(random * float64(ceiling(base, limit, n)))
}

// pollPause is evenly spread around interval, from half of it to one and a half.
func pollPause(interval time.Duration, random float64) time.Duration {
	return time.Duration((0.5 + random) * float64(interval))
}
