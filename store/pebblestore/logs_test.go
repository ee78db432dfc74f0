package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/onceward/onceward/store"
)

// exhausted is a file system on which no log can be made once on is set, as when no descriptor is left.
type exhausted struct {
	vfs.FS
	on    atomic.Bool
	tries atomic.Int64
	until int64         // so many tries; zero: for ever
	third chan struct{} // closed at the third try, which is the first one without a spare that is made again
}

func (f *exhausted) refuse(name string) error {
	if !f.on.Load() || !strings.HasSuffix(name, ".log") {
		return nil
	}
	n := f.tries.Add(1)
	if n == 3 && f.third != nil {
		close(f.third)
	}
	if f.until != 0 && n > f.until {
		return nil
	}
	return syscall.EMFILE
}

func (f *exhausted) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.refuse(name); err != nil {
		return nil, err
	}
	return f.FS.Create(name, c)
}

func (f *exhausted) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.refuse(name); err != nil {
		return nil, errors.Join(err, f.FS.Rename(old, name)) // the file system of the system renames, and cannot open then
	}
	return f.FS.ReuseForWrite(old, name, c)
}

// accepted is a store on f with n claims, which no log can be made for any more; a reply of theirs fills a good part of one.
func accepted(t *testing.T, f *exhausted, n int) (*Store, []store.Identity) {
	t.Helper()
	f.FS = vfs.NewCrashableMem()
	s, err := Open("store", Config{fs: f, Logf: t.Logf, tables: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // so that there are logs to use again
		finish(t, s, identity(fmt.Sprint("before ", i), 0), 1)
		if i%5 == 0 {
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var all []store.Identity
	for i := range n {
		who := identity(fmt.Sprint(i), 0)
		if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil {
			t.Fatal(err)
		}
		all = append(all, who)
	}
	f.on.Store(true)
	return s, all
}

const largeReply = 100 << 10

// completed completes them until one fails, and returns how many are done.
func completed(t *testing.T, s *Store, all []store.Identity) (int, error) {
	t.Helper()
	for i, who := range all {
		if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(1), strings.Repeat("x", largeReply))); err != nil {
			return i, err
		} else if a.Verdict != store.Applied {
			t.Fatalf("%s: %v", who.Key, a.Verdict)
		}
	}
	return len(all), nil
}

// kept fails unless the store that the power loss has left has these done.
func kept(t *testing.T, f *exhausted, done []store.Identity) {
	t.Helper()
	after, err := Open("store", Config{fs: f.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{}), Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	sound(t, after)
	for _, who := range done {
		if a, err := after.Get(t.Context(), who); err != nil || a.Verdict != store.Replay || len(a.Record.Reply) != largeReply {
			t.Fatalf("%s, acknowledged: %v, %v", who.Key, a.Verdict, err)
		}
	}
}

// When no file can be opened the next log is there already: accepted claims are completed, replays served, new claims refused, and taken again when files can be opened.
func TestSpareLogCompletesWhatIsAccepted(t *testing.T) {
	var f exhausted
	s, all := accepted(t, &f, 20)
	n := 0
	for ; f.tries.Load() == 0; n++ {
		if _, err := completed(t, s, all[n:n+1]); err != nil {
			t.Fatal(err)
		}
	}
	all = all[:n]
	late := claimOf(identity("late", 0), tokenOf(2))
	if _, err := s.Claim(t.Context(), late); !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "limit of open files") {
		t.Errorf("a new claim without a spare: %v; want ErrFull and what to do", err)
	}
	if a, err := s.Claim(t.Context(), claimOf(all[0], tokenOf(2))); err != nil || a.Verdict != store.Replay {
		t.Errorf("a replay without a spare: %v, %v", a.Verdict, err)
	}
	f.on.Store(false)
	s.logs.mu.Lock()
	s.logs.tried = time.Time{}
	s.logs.mu.Unlock()
	if a, err := s.Claim(t.Context(), late); err != nil || a.Verdict != store.Granted {
		t.Errorf("a new claim once files can be opened: %v, %v", a.Verdict, err)
	}
	kept(t, &f, all)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if names, err := f.FS.List("store"); err != nil || strings.Contains(strings.Join(names, " "), spareName) {
		t.Errorf("after Close there are %q, %v; want no %s", names, err, spareName)
	}
}

// Without a spare a new log is tried again for a while, and nobody hears of it.
func TestNewLogIsTriedAgain(t *testing.T) {
	f := exhausted{until: 5}
	s, all := accepted(t, &f, 40)
	if n, err := completed(t, s, all); err != nil {
		t.Fatalf("after %d: %v", n, err)
	}
	if f.tries.Load() <= f.until {
		t.Fatalf("%d tries; the test proves too little", f.tries.Load())
	}
	kept(t, &f, all)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// While it is tried again the deadline of a call that comes holds, and who only looks is answered.
func TestNewLogKeepsNobodyBeyondHisDeadline(t *testing.T) {
	f := exhausted{third: make(chan struct{})}
	s, all := accepted(t, &f, 40)
	s.logs.patience = time.Hour
	first, last := all[:39], all[39]
	ended := make(chan error)
	go func() {
		_, err := completed(t, s, first)
		ended <- err
	}()
	<-f.third
	back := make(chan error, 3)
	go func() {
		bounded := func(call func(context.Context) error) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			back <- call(ctx)
		}
		bounded(func(ctx context.Context) error { // with the gate closed it would keep who only looks waiting
			_, err := s.Seal(ctx, last.Service, 1)
			return err
		})
		_, err := s.Get(t.Context(), last)
		back <- err
		bounded(func(ctx context.Context) error {
			_, err := s.Advance(ctx, completeOf(last, tokenOf(1), "late"))
			return err
		})
	}()
	for _, want := range []error{context.DeadlineExceeded, nil, context.DeadlineExceeded} {
		select {
		case err := <-back:
			if !errors.Is(err, want) {
				t.Errorf("a call that comes meanwhile: %v; want %v", err, want)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("a call that comes meanwhile waits; want %v", want)
		}
	}
	f.on.Store(false)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	kept(t, &f, first)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// In the end the store fails, and the process does not: what was acknowledged is there.
func TestNoNewLogEndsTheStoreNotTheProcess(t *testing.T) {
	var f exhausted
	s, all := accepted(t, &f, 40)
	s.logs.patience = 5 * time.Millisecond
	n, err := completed(t, s, all)
	if !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EMFILE) {
		t.Errorf("after %d: %v; want ErrFailed and its cause", n, err)
	}
	if _, err := s.Get(t.Context(), all[n]); !errors.Is(err, ErrFailed) {
		t.Errorf("Get after a failure: %v; want ErrFailed", err)
	}
	kept(t, &f, all[:n])
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A log that cannot be written while many callers write, and make Pebble begin the next one, fails all of them, and nobody panics or waits for ever.
func TestFailingLogFailsEveryCaller(t *testing.T) {
	for round := range 5 {
		f := &refusing{FS: vfs.NewCrashableMem()}
		s, err := Open("store", Config{fs: f, Logf: func(string, ...any) {}, tables: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var done atomic.Int64
		for w := range 16 {
			all.Go(func() {
				for i := 0; ; i++ {
					who := identity(fmt.Sprint(w, " ", i), 0)
					_, err := s.Claim(context.Background(), claimOf(who, tokenOf(1)))
					if err == nil {
						_, err = s.Advance(context.Background(), completeOf(who, tokenOf(1), strings.Repeat("x", 3*largeReply)))
					}
					if err != nil {
						if !errors.Is(err, ErrFailed) {
							t.Errorf("a caller is told %v; want ErrFailed", err)
						}
						return
					}
					if done.Add(1) == int64(10+round) {
						f.refuse.Store(true)
					}
				}
			})
		}
		all.Wait()
		opensAgain(t, f, int(done.Load()))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The failed log stays the last one, whoever else makes Pebble begin the next: its torn end, without the mark that it was closed, would pass for damage before another.
func TestFailedLogIsOpenedAgain(t *testing.T) {
	f := &refusing{FS: vfs.NewCrashableMem()}
	s, err := Open("store", Config{fs: f, Logf: func(string, ...any) {}})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, s, identity("done", 0), 1)
	f.refuse.Store(true)
	if _, err := s.Claim(t.Context(), claimOf(identity("torn", 0), tokenOf(1))); !errors.Is(err, ErrFailed) {
		t.Fatalf("a claim that cannot be written: %v; want ErrFailed", err)
	}
	if _, err := s.db.AsyncFlush(); err != nil { // as another caller does, whose batch does not fit
		t.Fatal(err)
	}
	opensAgain(t, f, 1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// opensAgain fails unless the directory opens as the end of the process would leave it, with at least so many done records.
func opensAgain(t *testing.T, f *refusing, done int) {
	t.Helper()
	left := f.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	after, err := Open("store", Config{fs: left, Logf: t.Logf})
	if err != nil {
		t.Fatalf("after the log has failed: %v", err)
	}
	defer after.Close()
	sound(t, after)
	if st, err := after.Stats(t.Context(), ""); err != nil || st.Done < int64(done) {
		t.Errorf("%d done, %v; %d were acknowledged", st.Done, err, done)
	}
}
