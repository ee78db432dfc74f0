// Package naive is the middleware that most articles about SETNX teach, as a target of package behave. It is ours, written to be measured: it
// stands for a technique, and for nobody's product.
package naive

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/onceward/onceward/bench/behave/contract"
)

const (
	ttl      = 24 * time.Hour
	shortTTL = 200 * time.Millisecond
)

// Start starts the target: two servers that share one table, as they would share one Redis.
func Start() (contract.Running, error) {
	table, short := newTable(), newTable()
	site := contract.Site{
		About: contract.About{Name: "naive SETNX", Version: "ours, see bench/behave/targets/naive", Store: true,
			Lease: int(shortTTL / time.Millisecond), Window: int(shortTTL / time.Millisecond)},
		Desk:  contract.NewDesk(),
		Guard: func(next http.Handler) http.Handler { return guard(table, ttl, next) },
		Short: func(next http.Handler) http.Handler { return guard(short, shortTTL, next) },
		Store: table.switchTo,
	}
	return contract.Pair(site, site)
}

// guard lets the first request with a key through and refuses the others. A failure frees the key.
func guard(t *table, ttl time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		key := r.Header.Get("Idempotency-Key")
		if key == "" {
			http.Error(w, "Idempotency-Key is required", http.StatusBadRequest)
			return
		}
		switch first, err := t.setNX("idempotency:"+key, ttl); {
		case err != nil:
			http.Error(w, "try again later", http.StatusInternalServerError)
			return
		case !first:
			http.Error(w, "duplicate request", http.StatusConflict)
			return
		}
		seen := &status{ResponseWriter: w, code: http.StatusOK}
		failed := true
		defer func() {
			if failed {
				t.del("idempotency:" + key)
			}
		}()
		next.ServeHTTP(seen, r)
		failed = seen.code >= 400
	})
}

// status remembers what the handler answered.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// table is what such code uses of Redis.
type table struct {
	mu   sync.Mutex
	ends map[string]time.Time
	down bool
}

func newTable() *table { return &table{ends: make(map[string]time.Time)} }

var errDown = errors.New("connection refused")

func (t *table) setNX(key string, ttl time.Duration) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.down {
		return false, errDown
	}
	now := time.Now()
	if now.Before(t.ends[key]) {
		return false, nil
	}
	t.ends[key] = now.Add(ttl)
	return true, nil
}

func (t *table) del(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.down {
		delete(t.ends, key)
	}
}

func (t *table) switchTo(up bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.down = !up
}
