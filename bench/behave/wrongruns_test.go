package behave_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/bench/behave/targets/ours"
)

// wrongRuns get wrong who runs, and when.
func wrongRuns() []wrong {
	return []wrong{
		{name: "has no lock", breaks: []string{"concurrent", "after-concurrent", "hang-up-with-waiter", "other-body-in-flight"},
			variant: inFlight(func(_ *flights, _ string, w http.ResponseWriter, r *http.Request, bare http.Handler) {
				bare.ServeHTTP(w, r)
			})},
		{name: "is poisoned by a copy", breaks: []string{"after-concurrent", "hang-up-with-waiter"},
			variant: inFlight(func(f *flights, key string, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				f.poison(key)
				http.Error(w, "duplicate", http.StatusConflict)
			})},
		{name: "serialises everything", only: true, breaks: []string{"parallel-keys"}, variant: ours.Variant{Outside: func(next http.Handler) http.Handler {
			var mu sync.Mutex
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				next.ServeHTTP(w, r)
			})
		}}},
		{name: "saves nothing for who is gone", only: true, breaks: []string{"hang-up", "hang-up-with-waiter", "reply-lost"},
			variant: forgets(func(r *http.Request, _ int) bool {
				select {
				case <-r.Context().Done():
					return true
				case <-time.After(2 * time.Second):
					return false
				}
			})},
		{name: "has a store for each server", breaks: []string{"two-servers"}, variant: ours.Variant{Alone: true}},
		{name: "does not renew the lease", breaks: []string{"outlives-lease"}, variant: ours.Variant{Short: func(c *onceward.Config) {
			c.HandlerLimit, c.OnLapse = 20*time.Millisecond, onceward.Rerun
		}}},
		{name: "answers an outage as a conflict", breaks: []string{"store-down"}, variant: ours.Variant{Outside: onReply(func(h http.Header, status int) int {
			if status == http.StatusServiceUnavailable && isProblem(h) {
				return http.StatusConflict
			}
			return status
		})}},
		{name: "frees the key when a save fails", breaks: []string{"store-dies-in-handler"}, variant: merge(
			ours.Variant{Guard: func(c *onceward.Config) { c.SaveLimit = 20 * time.Millisecond }},
			forgets(func(_ *http.Request, status int) bool { return status == http.StatusServiceUnavailable }),
		)},
		{name: "comes back tomorrow", breaks: []string{"retry-after"}, variant: ours.Variant{Outside: onReply(func(h http.Header, status int) int {
			if h.Get("Retry-After") != "" && status == http.StatusConflict {
				h.Set("Retry-After", "86400")
			}
			return status
		})}},
		{name: "cuts long bodies", breaks: []string{"large-request"}, variant: onRequest(func(r *http.Request) {
			if r.ContentLength > 1<<20 {
				r.Body, r.ContentLength = io.NopCloser(io.LimitReader(r.Body, 1<<20)), 1<<20
			}
		})},
		{name: "carries out half a body", breaks: []string{"upload-cut"}, variant: onRequest(func(r *http.Request) {
			part, _ := io.ReadAll(r.Body)
			*r = *r.WithContext(context.WithoutCancel(r.Context()))
			withBytes(r, part)
		})},
	}
}

func merge(a, b ours.Variant) ours.Variant {
	b.Guard = a.Guard
	return b
}

// flights knows which keys are at work.
type flights struct {
	mu       sync.Mutex
	running  map[string]int
	poisoned map[string]bool
}

func (f *flights) enter(key string, n int) (others int, poisoned bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	others = f.running[key]
	f.running[key] += n
	return others, f.poisoned[key]
}

func (f *flights) poison(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.poisoned[key] = true
}

// inFlight treats a copy of what is at work in its own way.
func inFlight(treat func(f *flights, key string, w http.ResponseWriter, r *http.Request, bare http.Handler)) ours.Variant {
	return ours.Variant{Both: func(guarded, bare http.Handler) http.Handler {
		f := &flights{running: map[string]int{}, poisoned: map[string]bool{}}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			key := r.Header.Get("X-Principal") + r.Header.Get("Idempotency-Key")
			others, poisoned := f.enter(key, 1)
			defer f.enter(key, -1)
			switch {
			case key == "" || r.Method == http.MethodGet:
				guarded.ServeHTTP(w, r)
			case others > 0:
				treat(f, key, w, r, bare)
			case poisoned:
				http.Error(w, "duplicate", http.StatusConflict)
			default:
				guarded.ServeHTTP(w, r)
			}
		})
	}}
}

// forgets runs a key again after a send of which says says so.
func forgets(says func(r *http.Request, status int) bool) ours.Variant {
	return ours.Variant{Outside: func(next http.Handler) http.Handler {
		var lost sync.Map
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			key := r.Header.Get("X-Principal") + r.Header.Get("Idempotency-Key")
			if _, is := lost.Load(key); is {
				r.Header.Set("Idempotency-Key", r.Header.Get("Idempotency-Key")+"-again")
			}
			code := 0
			next.ServeHTTP(&touched{ResponseWriter: w, change: func(h http.Header, status int) int {
				code = status
				if status == http.StatusServiceUnavailable && !isProblem(h) {
					code = 0 // the handler's
				}
				return status
			}}, r)
			_ = http.NewResponseController(w).Flush() // whoever is still there has its reply, and goes
			if says(r, code) {
				lost.Store(key, true)
			}
		})
	}}
}
