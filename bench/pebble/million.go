package pebble

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pebblestore"
)

// Million is what many records cost.
type Million struct {
	Records         int
	Written         float64       // bytes for one record, by the process, its log included
	Memory          int64         // bytes that the Go runtime has from the system after the fill
	Reopen          time.Duration // after SIGKILL
	Stamped, Others time.Duration // median of a replay
	Purge           time.Duration // of all of them, in one call
	Longest         time.Duration // that a claim waited meanwhile
	DiskBefore      int64         // bytes of files
	DiskAfter       int64
}

// childVariable makes this program fill a store and wait to be killed: a folder and a number of records.
const childVariable = "ONCEWARD_BENCH_FILL"

const start = 1_772_000_000_000 // the store's clock while it is filled; buckets are hours from here

// Child does the work of the process that is to be killed, if this is that process; then it does not return.
func Child() {
	folder, n, ok := strings.Cut(os.Getenv(childVariable), "|")
	if !ok {
		return
	}
	records, err := strconv.Atoi(n)
	if err == nil {
		err = fillAndWait(folder, records)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func config(clock *atomic.Int64) pebblestore.Config {
	return pebblestore.Config{Clock: func() time.Time { return time.UnixMilli(clock.Load()) }}
}

func fillAndWait(folder string, records int) error {
	var clock atomic.Int64
	clock.Store(start)
	s, err := pebblestore.Open(folder, config(&clock))
	if err != nil {
		return err
	}
	before := written()
	var next atomic.Int64
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for range 256 {
		all.Go(func() {
			for i := next.Add(1); i <= int64(records); i = next.Add(1) {
				clock.Store(moment(i, records))
				if err := cycle(s, uint64(i), stampOf(i, records)); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println(written()-before, m.Sys-m.HeapReleased)
	select {}
}

// stampOf is the stamp of every second key; the others have none.
func stampOf(i int64, records int) store.Time {
	if i%2 == 0 {
		return 0
	}
	return store.Time(moment(i, records))
}

// moment spreads the records over a day, so that there are as many buckets as in a day's work.
func moment(i int64, records int) int64 {
	return start + int64(float64(i)/float64(records)*float64(day.Milliseconds()))
}

const day = 24 * time.Hour

// written is how many bytes this process has given to files; zero where the system does not tell.
func written() int64 {
	text, _ := os.ReadFile("/proc/self/io")
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "wchar: "); ok {
			bytes, _ := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			return bytes
		}
	}
	return 0
}

// MeasureMillion fills a store in a process that is killed, opens it again, replays, and purges all of it.
func MeasureMillion(folder string, records int) (m Million, err error) {
	dir, err := os.MkdirTemp(folder, "bench")
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(dir)
	m.Records = records
	if err := m.fill(dir, records); err != nil {
		return m, err
	}
	var clock atomic.Int64
	clock.Store(start + day.Milliseconds())
	began := time.Now()
	s, err := pebblestore.Open(dir, config(&clock))
	m.Reopen = time.Since(began)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if m.Stamped, err = replays(s, records, 1); err != nil {
		return m, err
	}
	if m.Others, err = replays(s, records, 0); err != nil {
		return m, err
	}
	m.DiskBefore = files(dir)
	clock.Add((window + guard + day).Milliseconds())
	if err := m.purge(s); err != nil {
		return m, err
	}
	m.DiskAfter = settled(dir)
	return m, nil
}

func (m *Million) fill(dir string, records int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", childVariable, dir, records))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	var bytes int64
	_, err = fmt.Fscan(out, &bytes, &m.Memory)
	m.Written = float64(bytes) / float64(records)
	_ = child.Process.Kill()
	_ = child.Wait()
	if err != nil {
		return fmt.Errorf("the process that fills the store: %w", err)
	}
	return nil
}

// replays is the median time to claim again what is done, for keys with or without a stamp.
func replays(s store.Store, records, odd int) (time.Duration, error) {
	const n = 4000
	var all []time.Duration
	for k := range n {
		i := int64(k*(records/n))&^1 + int64(odd)
		if i == 0 {
			i = 2
		}
		who := numbered(uint64(i), stampOf(i, records))
		q := store.ClaimRequest{
			Identity: who, Token: store.Token{1}, Fingerprints: []store.Fingerprint{{Version: 1, Sum: who.ID}}, Start: true, Lease: 30 * time.Second,
			Window: window, Guard: guard,
		}
		began := time.Now()
		a, err := s.Claim(context.Background(), q)
		all = append(all, time.Since(began))
		if err != nil || a.Verdict != store.Replay {
			return 0, fmt.Errorf("replay of %d: %v, %w", i, a.Verdict, err)
		}
	}
	all = all[n/4:] // the first ones read from the disk
	slices.Sort(all)
	return all[len(all)/2], nil
}

// purge removes everything in one call, while somebody claims.
func (m *Million) purge(s *pebblestore.Store) error {
	stop, waits := make(chan struct{}), make(chan time.Duration)
	go func() {
		var longest time.Duration
		for i := uint64(1 << 40); ; i++ {
			began := time.Now()
			_ = cycle(s, i, 0)
			longest = max(longest, time.Since(began))
			select {
			case <-stop:
				waits <- longest
				return
			default:
			}
		}
	}()
	began := time.Now()
	res, err := s.Purge(context.Background(), store.PurgeRequest{Limit: 1 << 30})
	m.Purge = time.Since(began)
	close(stop)
	m.Longest = <-waits
	if err == nil && res.Removed < m.Records*99/100 {
		err = fmt.Errorf("%d of %d records were purged", res.Removed, m.Records)
	}
	return err
}

// files is how many bytes the store's files of records have.
func files(dir string) (sum int64) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && (strings.HasSuffix(e.Name(), ".sst") || strings.HasSuffix(e.Name(), ".blob")) {
			sum += info.Size()
		}
	}
	return sum
}

// settled is files once Pebble has deleted in the background what it does not need any more.
func settled(dir string) int64 {
	size, same := files(dir), 0
	for range 100 {
		time.Sleep(100 * time.Millisecond)
		now := files(dir)
		if same++; now != size {
			size, same = now, 0
		}
		if same == 10 {
			break
		}
	}
	return size
}
