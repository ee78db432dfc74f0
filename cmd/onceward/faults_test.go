package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/onceward/onceward/faults"
)

// ledger is an upstream that counts what it executes, by key, and does not deduplicate.
type ledger struct {
	mu   sync.Mutex
	made map[string]int
}

func newLedger(t *testing.T) (l *ledger, url string) {
	t.Helper()
	l = &ledger{made: map[string]int{}}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return l, server.URL
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	l.mu.Lock()
	l.made[r.Header.Get("Idempotency-Key")]++
	l.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "a reply that can be cut")
}

func (l *ledger) times(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.made[key]
}

// wires are clients of each protocol that the command listens for.
func wires(t *testing.T) map[string]*http.Client {
	t.Helper()
	clients := map[string]*http.Client{}
	for _, name := range []string{"HTTP/1.1", "HTTP/2.0"} {
		var p http.Protocols
		p.SetHTTP1(name == "HTTP/1.1")
		p.SetUnencryptedHTTP2(name == "HTTP/2.0")
		transport := &http.Transport{Protocols: &p}
		t.Cleanup(transport.CloseIdleConnections)
		clients[name] = &http.Client{Transport: transport}
	}
	return clients
}

// post sends one request that the transport cannot send again by itself, and reads the whole reply.
func post(ctx context.Context, client *http.Client, url, key string) (status int, proto string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, io.NopCloser(strings.NewReader("body")))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Idempotency-Key", key)
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Proto, err
}

func readLog(t *testing.T, r io.Reader) []faults.Event {
	t.Helper()
	var all []faults.Event
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var e faults.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("not one JSON object a line: %q, %v", lines.Text(), err)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, faults.Event.Compare)
	return all
}

// What a play sends.
const (
	workers   = 8
	sendsEach = 10
	sends     = workers * sendsEach * 2
)

// play sends every operation twice, many at the same time, through a new process. It returns the sorted log and how often each
// operation was executed and answered.
func play(t *testing.T, client *http.Client, seed string) (log []faults.Event, executed, answered map[string]int) {
	t.Helper()
	bank, upstream := newLedger(t)
	p := startFaults(t, "--upstream", upstream, "--seed", seed, "--lose-reply", "0.3", "--lose-request", "0.1", "--cut", "0.1", "--reset", "0.1",
		"--duplicate", "0.2", "--delay", "0.1:0s-2ms")
	answered = map[string]int{}
	var mu sync.Mutex
	var work sync.WaitGroup
	for worker := range workers {
		work.Go(func() {
			for i := range sendsEach {
				key := fmt.Sprintf("secret-%d-%d", worker, i)
				for range 2 {
					if _, _, err := post(t.Context(), client, p.url+"/transfers", key); err == nil {
						mu.Lock()
						answered[key]++
						mu.Unlock()
					}
				}
			}
		})
	}
	work.Wait()
	client.CloseIdleConnections() // or the end would wait for HTTP/2's goodbye
	code, stderr := p.stop(t, syscall.SIGTERM)
	if code != 0 || !strings.Contains(stderr, fmt.Sprintf("requests %d, ", sends)) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit %d, stderr %q", code, stderr)
	}
	if strings.Contains(p.stdout.String()+stderr+p.first, "secret") {
		t.Error("a key is in the output")
	}
	log = readLog(t, &p.stdout)
	for _, name := range []string{"lose-reply", "lose-request", "cut-reply", "reset", "duplicate", "delay"} {
		n := 0
		for _, e := range log {
			if e.Fault == name {
				n++
			}
		}
		if want := fmt.Sprintf("%s %d (%.1f %%, asked ", name, n, 100*float64(n)/sends); n == 0 || !strings.Contains(stderr, want) {
			t.Errorf("the log has %s %d times, the summary is %q", name, n, stderr)
		}
	}
	return log, bank.made, answered
}

// The same seed gives the same log, executions and answers over both protocols, whatever the order; another seed gives others.
func TestFaultsOfASeedAreTheSame(t *testing.T) {
	clients := wires(t)
	log, executed, answered := play(t, clients["HTTP/1.1"], "7")
	again, executedAgain, answeredAgain := play(t, clients["HTTP/2.0"], "7")
	other, _, _ := play(t, clients["HTTP/1.1"], "8")
	if !slices.Equal(log, again) || fmt.Sprint(executed) != fmt.Sprint(executedAgain) || fmt.Sprint(answered) != fmt.Sprint(answeredAgain) {
		t.Error("the same seed gave two logs, ledgers or answers")
	}
	if slices.Equal(log, other) {
		t.Error("two seeds gave the same log")
	}
	// Each send is one execution, one more for each duplicate, one less for each that never arrived.
	total, want, unanswered := 0, sends, 0
	for _, n := range executed {
		total += n
	}
	for _, n := range answered {
		unanswered -= n
	}
	for _, e := range log {
		switch {
		case e.Fault == "duplicate":
			want++
		case e.Fault == "lose-request", e.Fault == "reset" && e.Detail == "before the work":
			want--
		}
		if e.Fault != "duplicate" && e.Fault != "delay" {
			unanswered--
		}
	}
	if total != want || unanswered != -sends {
		t.Errorf("executed %d times, want %d; %d sends have neither an answer nor a fault", total, want, sends+unanswered)
	}
}

func TestFaultsOverBothProtocols(t *testing.T) {
	clients := wires(t)
	for name, tt := range map[string]struct {
		args     string
		executed int // -1: by the log's detail
		fails    bool
		reset    bool // on HTTP/1
	}{
		"none":         {"", 1, false, false},
		"lose-reply":   {"--lose-reply 1", 1, true, false},
		"lose-request": {"--lose-request 1", 0, true, false},
		"cut-reply":    {"--cut 1", 1, true, false},
		"reset":        {"--reset 1", -1, true, true},
		"hang":         {"--hang 1 --hang-limit 50ms", -1, true, false},
		"duplicate":    {"--duplicate 1", 2, false, false},
		"delay":        {"--delay 1:1ms-2ms", 1, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			bank, upstream := newLedger(t)
			p := startFaults(t, append([]string{"--upstream", upstream, "--seed", "1"}, strings.Fields(tt.args)...)...)
			for proto, client := range clients {
				status, got, err := post(t.Context(), client, p.url+"/transfers", proto)
				if (err != nil) != tt.fails || !tt.fails && (status != http.StatusCreated || got != proto) {
					t.Errorf("%s: %d %s %v", proto, status, got, err)
				}
				if proto == "HTTP/1.1" && errors.Is(err, syscall.ECONNRESET) != tt.reset {
					t.Errorf("%s: %v, want a reset = %v", proto, err, tt.reset)
				}
			}
			for _, client := range clients {
				client.CloseIdleConnections()
			}
			if code, stderr := p.stop(t, syscall.SIGINT); code != 0 {
				t.Errorf("exit %d: %s", code, stderr)
			}
			log := readLog(t, &p.stdout)
			if name == "none" != (len(log) == 0) {
				t.Errorf("log %v", log)
			}
			want, works := 2*tt.executed, 0
			for _, e := range log {
				if e.Fault != name || e.Method != http.MethodPost || e.Path != "/transfers" || e.Skipped {
					t.Errorf("log %v", e)
				}
				if e.Detail == "after the work" {
					works++
				}
			}
			if tt.executed < 0 {
				want = works
			}
			if got := bank.times("HTTP/1.1") + bank.times("HTTP/2.0"); got != want {
				t.Errorf("executed %d times, want %d; log %v", got, want, log)
			}
		})
	}
}

// A hanging exchange does not hold up the end, and its client is cut off.
func TestHangingEndsWithTheProcess(t *testing.T) {
	_, upstream := newLedger(t)
	path := filepath.Join(t.TempDir(), "faults.jsonl")
	if err := os.WriteFile(path, []byte("an old log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startFaults(t, "--upstream", upstream, "--hang", "1", "--log", path)
	failed := make(chan error, 1)
	go func() {
		_, _, err := post(t.Context(), wires(t)["HTTP/1.1"], p.url, "k")
		failed <- err
	}()
	for ticks := time.NewTicker(5 * time.Millisecond); ; <-ticks.C { // the log is written when the fault strikes
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), `"fault":"hang"`) && strings.Count(string(b), "\n") == 1 {
			break
		}
	}
	start := time.Now()
	if code, stderr := p.stop(t, syscall.SIGTERM); code != 0 || time.Since(start) > 5*time.Second {
		t.Errorf("exit %d after %v: %s", code, time.Since(start), stderr)
	}
	if <-failed == nil {
		t.Error("the client got an answer")
	}
	if p.stdout.Len() != 0 {
		t.Errorf("stdout %q, although there is a --log", p.stdout.String())
	}
}

func TestFaultsStrikeOnlyWhatTheyMay(t *testing.T) {
	bank, upstream := newLedger(t)
	p := startFaults(t, "--upstream", upstream, "--lose-request", "1", "--only", "POST /transfers/{id}", "--only", "/orders/", "--identity", "X-Request-Id")
	client := wires(t)["HTTP/1.1"]
	for path, struck := range map[string]bool{"/transfers/7": true, "/transfers": false, "/orders/7/items": true, "/": false} {
		if _, _, err := post(t.Context(), client, p.url+path, path); (err != nil) != struck || (bank.times(path) == 0) != struck {
			t.Errorf("%s: %v, executed %d times", path, err, bank.times(path))
		}
	}
	if code, stderr := p.stop(t, syscall.SIGINT); code != 0 || !strings.Contains(stderr, "requests 2, lose-request 2 (100.0 %, asked 100 %), 2 outside of --only") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// A second start by mistake fails, and the log of the first is left alone.
func TestATakenPortCostsNoLog(t *testing.T) {
	_, upstream := newLedger(t)
	path := filepath.Join(t.TempDir(), "faults.jsonl")
	first := startFaults(t, "--upstream", upstream, "--lose-reply", "1", "--log", path)
	_, _, _ = post(t.Context(), wires(t)["HTTP/1.1"], first.url, "k")
	second := command(t, "faults", "--listen", strings.TrimPrefix(first.url, "http://"), "--upstream", upstream, "--log", path)
	out, err := second.CombinedOutput()
	if code := exitCode(t, err); code != 1 || !strings.Contains(string(out), "--listen ") || !strings.Contains(string(out), "address already in use") {
		t.Errorf("exit %d: %s", code, out)
	}
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), "lose-reply") {
		t.Errorf("the first one's log is now %q, %v", b, err)
	}
	if code, stderr := first.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
