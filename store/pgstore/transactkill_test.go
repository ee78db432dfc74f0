package pgstore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	command "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// takesOver fails unless a waiter in another process runs, at once, when the one who holds the operation is killed.
func (b *bank) takesOver(t *testing.T, key onceward.Key, kill func()) {
	t.Helper()
	y := b.transactor(t, b.pool, TransactConfig{Wait: time.Minute})
	second := inBackground(func() (onceward.Result, error) { return y.Transact(t.Context(), callOf(key), b.pay(key)) })
	somebodyWaits(t, b.tables)
	began := time.Now()
	kill()
	r := <-second
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the waiter takes over after %v", took)
	}
	if r.err != nil || r.Replayed || string(r.Reply.Body) != "paid "+key.Text() {
		t.Errorf("the waiter: %v, %v", r.Result, r.err)
	}
	b.balance(t, key.Text())
}

// The backend of a holder is terminated: a waiter takes over, and the holder answers from its record.
func TestKillBackendOfTheHolder(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	key := keyOf(t, "k")
	at, on := make(chan int), make(chan struct{})
	x := b.transactor(t, db.pool, TransactConfig{})
	first := inBackground(func() (onceward.Result, error) {
		return x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
			var pid int
			if err := tx.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
				t.Error(err)
			}
			out := b.pay(key)(ctx, tx)
			at <- pid
			<-on
			return out
		})
	})
	pid := <-at
	b.takesOver(t, key, func() { exec(t, db.owner, fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid)) })
	close(on)
	if r := <-first; r.err != nil || !r.Replayed || string(r.Reply.Body) != "paid k" {
		t.Errorf("the holder: %v, %v", r.Result, r.err)
	}
	b.balance(t, "k")
}

// Without a waiter the holder runs again.
func TestKillBackendRunsAgain(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	key, runs := keyOf(t, "k"), 0
	x := b.transactor(t, db.pool, TransactConfig{})
	result, err := x.Do(t.Context(), callOf(key), func(ctx context.Context, a onceward.Attempt) onceward.Outcome {
		if runs++; a.N != runs || !a.Buffered {
			t.Errorf("attempt %d: %+v", runs, a)
		}
		if runs == 1 {
			_, _ = Tx(ctx).Exec(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
		}
		return b.pay(key)(ctx, Tx(ctx))
	})
	if err != nil || result.Replayed || runs != 2 {
		t.Errorf("%v, %v, %d runs", result, err, runs)
	}
	b.balance(t, "k")
}

// The network of a holder goes away.
func TestKillConnectionOfTheHolder(t *testing.T) {
	db := serving(t)
	b := newBank(t, db)
	w, pool := newWire(t, db.pool, 2, func() fate { return passes })
	key := keyOf(t, "k")
	first, let := b.holding(t, b.transactor(t, pool, TransactConfig{}), key)
	b.takesOver(t, key, w.cut)
	let()
	if r := <-first; r.err != nil || !r.Replayed {
		t.Errorf("the holder: %v, %v", r.Result, r.err)
	}
	b.balance(t, "k")
}

const childSays = "the child holds"

// The process of a holder is killed. The child is this program once more, told what to hold by its environment.
func TestKillProcessOfTheHolder(t *testing.T) {
	if held := os.Getenv("ONCEWARD_TEST_HOLD"); held != "" {
		holdUntilKilled(t, held)
		return
	}
	db := serving(t)
	b := newBank(t, db)
	child := command.Command(os.Args[0], "-test.run=^TestKillProcessOfTheHolder$", "-test.v")
	child.Env = append(os.Environ(), "ONCEWARD_TEST_HOLD="+b.schema+" "+db.pool.Config().ConnString())
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	defer func() { _ = child.Process.Kill() }()
	for lines := bufio.NewScanner(out); ; {
		if !lines.Scan() {
			t.Fatal("the child has ended")
		}
		if strings.Contains(lines.Text(), childSays) {
			break
		}
	}
	b.takesOver(t, keyOf(t, "k"), func() {
		if err := child.Process.Kill(); err != nil {
			t.Error(err)
		}
	})
}

func holdUntilKilled(t *testing.T, held string) {
	schema, url, _ := strings.Cut(held, " ")
	pool := open(t, url)
	b := &bank{tables{pool, pool}, schema}
	key := keyOf(t, "k")
	x := b.transactor(t, pool, TransactConfig{})
	_, err := x.Transact(t.Context(), callOf(key), func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		out := b.pay(key)(ctx, tx)
		fmt.Println(childSays)
		<-ctx.Done() // the handler limit, if nobody kills us
		return out
	})
	t.Errorf("not killed: %v", err)
}

// The server is killed, processes and all, while many are at work, and comes back.
func TestKillServerUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	server := pgtest.Own(t, pgtest.Config{Durable: true})
	pool := open(t, server.URL("postgres")+"&pool_max_conns=8")
	b := newBank(t, tables{pool, pool})
	c := &clients{b: b, told: map[string]string{}}
	for range 2 {
		c.over = append(c.over, b.transactor(t, pool, TransactConfig{}))
	}
	kills := 2
	if os.Getenv("ONCEWARD_SOAK") != "" {
		kills = 20
	}
	operations := 0
	for kill := range kills {
		killed := make(chan struct{})
		known := func() int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.told)
		}
		before := known()
		go func() {
			defer close(killed)
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for known() < before+100 {
				<-tick.C
			}
			if err := server.Kill(); err != nil {
				t.Error(err)
			}
			if err := server.Restart(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		operations += c.all(t, fmt.Sprint("round", kill, "-"), 8, func() bool {
			select {
			case <-killed:
				return true
			default:
				return false
			}
		})
	}
	pool.Reset()
	c.verify(t, operations)
	t.Logf("%d operations, %d runs, %d kills", operations, c.runs.Load(), kills)
}
