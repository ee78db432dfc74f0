package oncehttp

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// Names of what the parent tells the child that it is going to kill.
const (
	childURL  = "ONCEWARD_TEST_CHILD_URL"
	childFile = "ONCEWARD_TEST_CHILD_FILE"
)

// TestClientChild is the process that TestClientKilled kills: it saves an operation, sends it, and never hears of it.
func TestClientChild(t *testing.T) {
	url := os.Getenv(childURL)
	if url == "" {
		t.Skip("only as a child of TestClientKilled")
	}
	client := newTestClient(t, ClientConfig{Policy: retry.Policy{AttemptTimeout: time.Minute}})
	req := post(t, url, "pay 5")
	req.Header.Set("Authorization", "Bearer sesame")
	req.Header.Set("X-Kept", "yes")
	op, err := client.Prepare(req)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := json.Marshal(op)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv(childFile), saved, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = client.Send(t.Context(), op)
	t.Fatalf("the child should be dead, and has ended: %v", err)
}

// A process dies while the server is at work. Another reads the operation back and sends it: the same key, the same bytes, one effect.
func TestClientKilled(t *testing.T) {
	if os.Getenv(childURL) != "" {
		t.Skip("this is the child")
	}
	s := startTiny(t, nil)
	silent, arrived := stall(t, func(http.ResponseWriter) {})
	s.mu.Lock() // the call comes from another process, which is no order for the race detector
	s.lose = func(call int, w http.ResponseWriter) bool { return call == 1 && silent(call, w) }
	s.mu.Unlock()
	file := filepath.Join(t.TempDir(), "operation.json")

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestClientChild$")
	child.Env = append(os.Environ(), childURL+"="+s.URL, childFile+"="+file)
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case <-arrived:
	case err := <-ended:
		t.Fatalf("the child ended before it had sent anything: %v\n%s", err, out.String())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended

	saved, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(saved), "sesame") {
		t.Fatalf("%v, saved %s", err, saved)
	}
	var op Operation
	if err := json.Unmarshal(saved, &op); err != nil {
		t.Fatal(err)
	}
	resp, err := newTestClient(t, ClientConfig{}).Send(t.Context(), op.WithSecrets(http.Header{"Authorization": {"Bearer fresh"}}))
	if err != nil || bodyOf(t, resp) != "done: pay 5" || resp.Header.Get(HeaderReplayed) != "true" || onceward.FateOf(err) != onceward.Executed {
		t.Fatalf("%v", err)
	}
	calls, bodies := s.called(), s.got()
	if s.ran() != 1 || len(calls) != 2 {
		t.Fatalf("%d effects of %d calls, want 1 of 2", s.ran(), len(calls))
	}
	first, second := calls[0], calls[1]
	if first.Get(HeaderKey) != second.Get(HeaderKey) || first.Get(HeaderKey) == "" || bodies[0] != bodies[1] || second.Get("X-Kept") != "yes" {
		t.Errorf("not the same request: %v %q, then %v %q", first, bodies[0], second, bodies[1])
	}
	if first.Get("Authorization") != "Bearer sesame" || second.Get("Authorization") != "Bearer fresh" {
		t.Errorf("credentials %q, then %q", first.Get("Authorization"), second.Get("Authorization"))
	}
}
