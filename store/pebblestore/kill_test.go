//go:build unix

package pebblestore

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// points are where the process is killed; each is reached many times.
var points = []string{"claim", "after claim", "complete", "after complete", "release", "watermark", "moving", "moved", "re-home", "removed", "excise"}

func TestMain(m *testing.M) {
	if point := os.Getenv("PEBBLESTORE_KILL_AT"); point != "" {
		if err := victim(point, os.Getenv("PEBBLESTORE_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(3) // it should have been killed
	}
	if dir := os.Getenv("PEBBLESTORE_LOOK_AT"); dir != "" { // heldBy
		_, err := Inspect(dir)
		fmt.Println(err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A process is killed at each point, on the real file system, three times in the same directory. What it has told to be done is there, and the check finds nothing.
func TestKill(t *testing.T) {
	for _, point := range points {
		t.Run(strings.ReplaceAll(point, " ", "_"), func(t *testing.T) {
			t.Parallel()
			k := killed{TB: t, dir: t.TempDir(), claims: map[string]told{}, done: map[string]told{}}
			for round := range 3 {
				k.run(point, round)
				k.look(round)
			}
			if len(k.done) == 0 {
				t.Error("the process was killed before it had done anything")
			}
		})
	}
}

type told struct {
	stamp, purgeAt, now store.Time
}

type killed struct {
	testing.TB
	dir          string
	claims, done map[string]told
	now          store.Time
	watermark    store.Time
}

// run runs the victim until it is killed, and notes what it tells.
func (k *killed) run(point string, round int) {
	k.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "PEBBLESTORE_KILL_AT="+fmt.Sprint(point, "#", 3+round*5, "#", round), "PEBBLESTORE_DIR="+k.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var what, key string
		var said told
		if _, err := fmt.Sscan(lines.Text(), &what, &key, &said.stamp, &said.purgeAt, &said.now); err != nil {
			break // killed in the middle of a line: the line does not count
		}
		k.now = max(k.now, said.now)
		switch what {
		case "claimed":
			k.claims[key] = said
			delete(k.done, key)
		case "done":
			k.done[key] = said
			delete(k.claims, key)
		case "releasing":
			delete(k.claims, key)
		case "sealed":
			k.watermark = max(k.watermark, said.stamp)
		}
	}
	_ = cmd.Wait()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		k.Fatalf("the victim was to be killed at %q; it ended with %v", point, cmd.ProcessState)
	}
}

func (k *killed) look(round int) {
	k.Helper()
	s, err := Open(k.dir, victimConfig(func() time.Time { return victimStart(round) }))
	if err != nil {
		k.Fatal(err)
	}
	defer s.Close()
	sound(k, s)
	for key, said := range k.claims {
		a, err := s.Get(context.Background(), identity(key, said.stamp))
		if err != nil || a.Record.State == store.Absent {
			k.Errorf("a claim of %s was told, and after the kill: %v, %v", key, a.Verdict, err)
		}
		if a.Record.State == store.Done { // completed just before the kill
			k.done[key] = told{stamp: said.stamp, purgeAt: a.Record.PurgeAt}
			delete(k.claims, key)
		}
	}
	for key, said := range k.done {
		a, err := s.Get(context.Background(), identity(key, said.stamp))
		purged := a.Record.State == store.Absent && said.purgeAt <= k.now && said.stamp <= a.Watermark
		if err != nil || !purged && (a.Verdict != store.Replay || string(a.Record.Reply) != replyOf(key)) {
			k.Errorf("%s was told to be done, and after the kill: %v, %v, watermark %d", key, a.Verdict, err, a.Watermark)
		}
	}
	if st, err := s.Stats(context.Background(), "orders"); err != nil || st.Watermark < k.watermark {
		k.Errorf("the watermark was %d, and after the kill %d, %v", k.watermark, st.Watermark, err)
	}
}

func victimStart(round int) time.Time {
	return time.Date(2026, 3, 1, 12+round, 0, 0, 0, time.UTC)
}

func victimConfig(clock func() time.Time) Config {
	return Config{Bucket: testBucket, Clock: clock, Memory: 16 << 20, MinFree: 1 << 20, tables: 64 << 10, moves: 2}
}

// victim works and tells, until it kills itself when it has been at the point often enough.
func victim(at, dir string) error {
	parts := strings.Split(at, "#")
	var left, round int
	if _, err := fmt.Sscan(parts[1], &left); err != nil {
		return err
	}
	if _, err := fmt.Sscan(parts[2], &round); err != nil {
		return err
	}
	clock := &settable{t: victimStart(round)}
	c := victimConfig(clock.now)
	c.reach = func(point string) {
		if point != parts[0] {
			return
		}
		if left--; left < 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	s, err := Open(dir, c)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(uint64(round), 3))
	for n := range 2_000 {
		if err := work(s, clock, rng, fmt.Sprint(round, "-", n), n); err != nil {
			return err
		}
	}
	return nil
}

// work makes one operation, and some upkeep.
func work(s *Store, clock *settable, rng *rand.Rand, key string, n int) error {
	ctx := context.Background()
	clock.move(time.Duration(rng.IntN(400)) * time.Millisecond)
	now := store.TimeOf(clock.now())
	who, token := identity(key, 0), tokenOf(uint64(n))
	if n%2 == 0 {
		who.Stamp = now
	}
	tell := func(what string, stamp, purgeAt store.Time) {
		fmt.Println(what, key, int64(stamp), int64(purgeAt), int64(now))
	}
	if _, err := s.Claim(ctx, claimOf(who, token)); err != nil {
		return err
	}
	tell("claimed", who.Stamp, 0)
	switch n % 7 {
	case 3: // stays open, and moves to the attic
	case 5:
		tell("releasing", who.Stamp, 0)
		if _, err := s.Advance(ctx, store.AdvanceRequest{Identity: who, Token: token, Op: store.OpRelease, ValidUntil: now + 1000}); err != nil {
			return err
		}
	default:
		a, err := s.Advance(ctx, completeOf(who, token, replyOf(key)))
		if err != nil {
			return err
		}
		tell("done", who.Stamp, a.Record.PurgeAt)
	}
	if n%10 == 9 {
		if _, err := s.Purge(ctx, store.PurgeRequest{Limit: []int{2, 1000}[n/10%2]}); err != nil {
			return err
		}
	}
	if n%15 == 14 {
		at, err := s.Seal(ctx, "orders", now-1000)
		if err != nil {
			return err
		}
		tell("sealed", at, 0)
	}
	return nil
}
