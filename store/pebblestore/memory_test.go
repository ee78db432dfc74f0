package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// Memory is set by the configuration, not by the number of records: ten million, over a day of buckets, stay below 300 MB with the default of 128 MiB.
func TestMemoryDoesNotGrowWithTheRecords(t *testing.T) {
	if os.Getenv("ONCEWARD_SOAK") == "" {
		t.Skip("only in a soak: it writes ten million records")
	}
	if underRace {
		t.Skip("the race detector takes memory itself; make soak runs it without")
	}
	const records, most = 10_000_000, 300 << 20
	var clock atomic.Int64
	begin := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	clock.Store(begin)
	s, err := Open(t.TempDir(), Config{Durability: ProcessCrash, Clock: func() time.Time { return time.UnixMilli(clock.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for i := next.Add(1); i <= records && !t.Failed(); i = next.Add(1) {
				now := begin + i*24*time.Hour.Milliseconds()/records
				clock.Store(now)
				who := identity(fmt.Sprint(i), store.Time(now*(i%2)))
				claim, complete := claimOf(who, tokenOf(1)), completeOf(who, tokenOf(1), who.Key)
				claim.Window, complete.Window = 24*time.Hour, 24*time.Hour
				if _, err := s.Claim(t.Context(), claim); err != nil {
					t.Error(err)
				}
				if _, err := s.Advance(t.Context(), complete); err != nil {
					t.Error(err)
				}
				if i%1_000_000 == 0 {
					memory(t, i, most)
				}
			}
		})
	}
	all.Wait()
	memory(t, records, most)
}

// resident is how many bytes of memory the process has; of Go's alone where the system does not say.
func resident() (uint64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if errors.Is(err, fs.ErrNotExist) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.Sys - m.HeapReleased, nil
	}
	var kilobytes uint64
	if _, after, ok := strings.Cut(string(text), "VmRSS:"); ok && err == nil {
		_, err = fmt.Sscan(after, &kilobytes)
	}
	return kilobytes << 10, err
}

// memory fails if the process has more than most. Pebble takes its caches past Go's heap where there is cgo, so the system is asked.
func memory(t *testing.T, records int64, most uint64) {
	t.Helper()
	held, err := resident()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records: %d MB", records, held>>20)
	if held > most {
		t.Errorf("%d records: %d MB of memory; want at most %d", records, held>>20, most>>20)
	}
}
