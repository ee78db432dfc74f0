package rounds

import (
	"sync"
	"sync/atomic"
)

// Share does the work of n, from 0 to n-1, by so many callers at a time: each takes the next when it has done one.
func Share(callers, n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	all.Wait()
}
