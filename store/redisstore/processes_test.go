package redisstore

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// serverOf is set in the environment of the other processes of TestTwoProcesses, to the address of their Redis.
const serverOf = "REDISSTORE_TEST_PROCESS"

// process is one of the servers: it sends fifty duplicates to its own guard, and says what they came to.
func process(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := New(ctx, rueidis.ClientOption{InitAddress: []string{address}}, Config{})
	if err != nil {
		return err
	}
	g, err := onceward.New(s, onceward.Config{Wait: 30 * time.Second})
	if err != nil {
		return err
	}
	k, err := onceward.ParseKey("the-same")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := io.ReadAll(os.Stdin); err != nil {
		return err
	}
	var runs atomic.Int64
	replies := make(map[string]int)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			call := onceward.Call{Scope: onceward.Scope{Service: "orders", Principal: "alice"}, Key: k, Fingerprint: onceward.BytesFingerprint("text/plain", []byte("pay 5"))}
			got, err := g.Do(ctx, call, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome {
				runs.Add(1)
				slow, stop := context.WithTimeout(ctx, 100*time.Millisecond)
				defer stop()
				<-slow.Done()
				return onceward.Save(onceward.Reply{Status: 201, Body: fmt.Append(nil, "by ", os.Getpid())})
			})
			mu.Lock()
			defer mu.Unlock()
			replies[fmt.Sprintf("%s %v", got.Reply.Body, err)]++
		})
	}
	all.Wait()
	fmt.Println("runs", runs.Load())
	for reply, n := range replies {
		fmt.Println("reply", n, reply)
	}
	return g.Close(ctx)
}

// TestTwoProcesses sends a hundred duplicates to two server processes with one Redis: one execution, one reply.
func TestTwoProcesses(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	type child struct {
		cmd *exec.Cmd
		in  io.Closer
		out io.Reader
	}
	var children []child
	for range 2 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), serverOf+"="+server.Address())
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
			t.Fatal(err)
		}
		children = append(children, child{cmd, in, out})
	}
	for _, c := range children {
		c.in.Close()
	}
	runs, replies := 0, map[string]int{}
	for _, c := range children {
		said, err := io.ReadAll(c.out)
		if err == nil {
			err = c.cmd.Wait()
		}
		if err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		for _, line := range strings.Split(string(said), "\n") {
			var n int
			if _, err := fmt.Sscanf(line, "runs %d", &n); err == nil {
				runs += n
			}
			if _, err := fmt.Sscanf(line, "reply %d", &n); err == nil {
				_, text, _ := strings.Cut(strings.TrimPrefix(line, "reply "), " ")
				replies[text] += n
			}
		}
	}
	if runs != 1 || len(replies) != 1 {
		t.Errorf("ran %d times, replies %v", runs, replies)
	}
	for _, n := range replies {
		if n != 100 {
			t.Errorf("%d replies", n)
		}
	}
}
