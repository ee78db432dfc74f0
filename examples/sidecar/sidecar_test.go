// Package sidecar tests a service in Python behind the sidecar, with a client in Python in front of it.
package sidecar

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/faults"
	"github.com/onceward/onceward/sidecar"
	"github.com/onceward/onceward/store/memstore"
)

// python is skipped for want of a python3, but not in CI.
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no python3: .ci/run installs it")
		}
		t.Skip("there is no python3, so examples/sidecar is NOT tested here")
	}
	return path
}

// startBank starts the service and returns its URL.
func startBank(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python(t), "-B", "service.py", "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var port int
	if _, err := fmt.Fscanln(out, &port); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// proxied is a sidecar in front of upstream.
func proxied(t *testing.T, upstream string) string {
	t.Helper()
	cfg := sidecar.Default()
	cfg.Upstream, cfg.Scope = upstream, "global"
	p, err := sidecar.New(t.Context(), memstore.New(memstore.Config{}), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// lossy is a network in front of upstream that loses replies after the work is done.
func lossy(t *testing.T, upstream string) string {
	t.Helper()
	to, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	network, err := faults.New(httputil.NewSingleHostReverseProxy(to), faults.Config{
		Seed: 7, Faults: []faults.Fault{faults.LoseReply(0.3)}, Identity: func(r *http.Request) string { return r.Header.Get("X-Transfer") }, // keys are random
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(network)
	t.Cleanup(func() {
		server.Close()
		if err := network.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// send lets the client in Python make transfers of 1 to n, and returns how often each stands in the bank's ledger.
func send(t *testing.T, bank, through string, n int, more ...string) map[int]int {
	t.Helper()
	var lines strings.Builder
	for amount := range n {
		fmt.Fprintf(&lines, `{"amount": %d}`+"\n", amount+1)
	}
	cmd := exec.CommandContext(t.Context(), python(t), append([]string{"-B", "../python/transfers.py", through + "/transfers", "--pause", "0.01"}, more...)...)
	cmd.Stdin = strings.NewReader(lines.String())
	if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), `"executed"`) != n && len(more) == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, bank+"/transfers", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var ledger []struct{ Amount int }
	if err := json.NewDecoder(resp.Body).Decode(&ledger); err != nil {
		t.Fatal(err)
	}
	times := map[int]int{}
	for _, transfer := range ledger {
		times[transfer.Amount]++
	}
	return times
}

func TestAServiceInPythonBehindTheSidecar(t *testing.T) {
	const n = 100
	bank := startBank(t)
	proxy := proxied(t, bank)
	times := send(t, bank, lossy(t, proxy), n)
	for amount := 1; amount <= n; amount++ {
		if times[amount] != 1 {
			t.Errorf("the transfer of %d stands %d times in the ledger", amount, times[amount])
		}
	}
	byHand(t, proxy)
}

// byHand enters the README's curl lines, which have to show what stands there, apart from headers that are left out.
func byHand(t *testing.T, proxy string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no curl: .ci/run installs it")
		}
		t.Log("there is no curl, so the README's session is NOT tested here")
		return
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, session, found := strings.Cut(strings.ReplaceAll(string(readme), "http://127.0.0.1:9090", proxy), "```console\n$ ")
	session, _, _ = strings.Cut(session, "\n```")
	entered := strings.Split(session, "\n$ ")
	if !found || len(entered) != 2 {
		t.Fatalf("%d lines in the README's session", len(entered))
	}
	for _, part := range entered {
		line, shown, _ := strings.Cut(part, "\n")
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rest := strings.ReplaceAll(string(out), "\r\n", "\n")
		for want := range strings.SplitSeq(shown, "\n") {
			var found bool
			if _, rest, found = strings.Cut("\n"+rest+"\n", "\n"+want+"\n"); !found {
				t.Errorf("%s\nno %q, or not there, in\n%s", line, want, out)
			}
		}
	}
}

// The same network without the proxy in between doubles, so that the test above shows something.
func TestWithoutTheSidecarTransfersDouble(t *testing.T) {
	bank := startBank(t)
	doubled := 0
	for _, n := range send(t, bank, lossy(t, bank), 100, "--rounds", "3") {
		doubled += n - 1
	}
	if doubled == 0 {
		t.Error("no transfer was doubled: the network loses nothing")
	}
}
