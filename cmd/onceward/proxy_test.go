package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// asUpstream makes the test binary a service: it appends each request's body to the file that the variable names, and answers after that. It
// never answers /stall.
const asUpstream = "ONCEWARD_TEST_AS_UPSTREAM"

func serveUpstream(ledger string) {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	var mu sync.Mutex
	n := 0
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // a test's
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		n++
		mine := n
		f, err := os.OpenFile(ledger, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(f, "%s\n", body)
		f.Close()
		mu.Unlock()
		if r.URL.Path == "/stall" {
			select {}
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "number %d of this life: %s", mine, body)
	})))
}

// upstreamProcess is a service that can be killed.
type upstreamProcess struct {
	address, ledger string
	cmd             *exec.Cmd
}

func startUpstream(t *testing.T, address, ledger string) *upstreamProcess {
	t.Helper()
	u := &upstreamProcess{ledger: ledger, cmd: command(t, address)}
	u.cmd.Env = append(u.cmd.Env, asUpstream+"="+ledger)
	out, err := u.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, &u.address); err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *upstreamProcess) kill(t *testing.T) {
	t.Helper()
	if err := u.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = u.cmd.Wait()
}

// effects counts what the ledger says of each body.
func (u *upstreamProcess) effects(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(u.ledger)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it has not got anything yet
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, line := range strings.Fields(string(text)) {
		out[line]++
	}
	return out
}

// proxyProcess is a running `onceward proxy`.
type proxyProcess struct {
	t      *testing.T
	url    string
	socket string
	cmd    *exec.Cmd
	log    *bufio.Reader

	drained chan struct{} // closed at the log's end, if drain reads it
}

// startProxy starts the command on a free port and waits until it listens.
func startProxy(t *testing.T, store string, args ...string) *proxyProcess {
	t.Helper()
	dir, err := os.MkdirTemp("", "once") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &proxyProcess{t: t, socket: filepath.Join(dir, "admin")}
	p.cmd = command(t, append([]string{"proxy", "--listen", "127.0.0.1:0", "--admin", "unix:" + p.socket, "--scope", "global"}, args...)...)
	p.cmd.Env = append(p.cmd.Env, "ONCEWARD_PROXY_STORE="+store)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.log = bufio.NewReader(stderr)
	line := p.line("msg=listening")
	_, rest, _ := strings.Cut(line, "url=")
	p.url, _, _ = strings.Cut(rest, " ")
	return p
}

// line waits for a line of the log.
func (p *proxyProcess) line(mark string) string {
	p.t.Helper()
	for {
		line, err := p.log.ReadString('\n')
		if strings.Contains(line, mark) {
			return line
		}
		if err != nil {
			p.t.Fatalf("no %s in the log: %q %v", mark, line, err)
		}
	}
}

// drain reads the log from here on: a proxy that has much to say would wait for its reader.
func (p *proxyProcess) drain() {
	p.drained = make(chan struct{})
	go func() {
		defer close(p.drained)
		_, _ = io.Copy(io.Discard, p.log)
	}()
}

// end sends a signal and waits.
func (p *proxyProcess) end(signal syscall.Signal) (code int) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	if p.drained == nil {
		p.drain()
	}
	<-p.drained
	return exitCode(p.t, p.cmd.Wait())
}

type proxied struct {
	status            int
	body, outcome     string
	replayed, refused bool
	retryAfter        string
	err               error
}

func (p *proxyProcess) post(path, key, body string) proxied {
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		return proxied{err: err}
	}
	req.Host = "shop.example" // part of what makes two requests the same; ports differ from life to life
	req.Header.Set(oncehttp.HeaderKey, key)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return proxied{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return proxied{
		status: resp.StatusCode, body: string(text), err: err, outcome: resp.Header.Get(oncehttp.HeaderOutcome), replayed: resp.Header.Get(oncehttp.HeaderReplayed) == "true",
		refused: resp.Header.Get("Content-Type") == oncehttp.ProblemType, retryAfter: resp.Header.Get("Retry-After"),
	}
}

// unknowns are the keys that the admin API lists.
func (p *proxyProcess) unknowns() []string {
	p.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: dialSocket(p.socket), DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://proxy/unknowns", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var page oncehttp.AdminPage
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		p.t.Fatal(err)
	}
	var keys []string
	for _, r := range page.Records {
		keys = append(keys, r.Key)
	}
	return keys
}

func dialSocket(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

// The upstream is killed while it works: what it was at is unknown, what was answered stays answered, and what comes before it is back is free.
func TestProxyKilledUpstreamIsUnknown(t *testing.T) {
	up := startUpstream(t, freeAddress(t), filepath.Join(t.TempDir(), "ledger"))
	p := startProxy(t, "memory:", "--upstream", "http://"+up.address)
	first := p.post("/", "k1", "one")
	if first.status != 201 || first.outcome != "saved" {
		t.Fatalf("%+v", first)
	}
	killedUpstream(t, p, up)
	if a := p.post("/", "k3", "three"); a.status != 502 || a.outcome != "freed" {
		t.Errorf("while it is gone: %+v", a)
	}
	up = startUpstream(t, up.address, up.ledger)
	if a := p.post("/", "k3", "three"); a.status != 201 {
		t.Errorf("when it is back: %+v", a)
	}
	if a := p.post("/", "k1", "one"); a.body != first.body || !a.replayed {
		t.Errorf("the retry of what was answered: %+v, first %q", a, first.body)
	}
	if a := p.post("/stall", "k2", "two"); a.status != 409 || !strings.Contains(a.body, "outcome-unknown") {
		t.Errorf("the retry of what was under way: %+v", a)
	}
	if got := p.unknowns(); len(got) != 1 || got[0] != "k2" {
		t.Errorf("unknown are %v", got)
	}
	if got := up.effects(t); got["one"] != 1 || got["two"] != 1 || got["three"] != 1 {
		t.Errorf("effects %v", got)
	}
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
	up.kill(t)
}

// killedUpstream kills it in the middle of k2.
func killedUpstream(t *testing.T, p *proxyProcess, up *upstreamProcess) {
	t.Helper()
	answered := make(chan proxied, 1)
	go func() { answered <- p.post("/stall", "k2", "two") }()
	up.await(t, "two")
	up.kill(t)
	if a := <-answered; a.status != 502 || a.outcome != "doubted" {
		t.Errorf("the killed one: %+v", a)
	}
}

// await returns when the ledger has body.
func (u *upstreamProcess) await(t *testing.T, body string) {
	t.Helper()
	for u.effects(t)[body] == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the request never arrives")
		}
	}
}

// The proxy is killed while a request is under way: nothing that was answered is lost, nothing is carried out twice, and what was under way is unknown.
func TestKilledProxyLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a lease of two seconds to end")
	}
	database := pgtest.Shared(t).MustDatabase(t)
	if o := onDatabase(t, database, "migrate", "postgres", "--apply"); o.err != nil {
		t.Fatal(o.err)
	}
	up := startUpstream(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "ledger"))
	args := []string{"--upstream", "http://" + up.address, "--lease", "2100ms"}
	p := startProxy(t, database, args...)
	var first []proxied
	for i := range 20 {
		first = append(first, p.post("/", fmt.Sprint("k", i), fmt.Sprint("b", i)))
	}
	gone := make(chan proxied, 1)
	go func() { gone <- p.post("/stall", "stalled", "stalled") }()
	up.await(t, "stalled")
	if code := p.end(syscall.SIGKILL); code != -1 {
		t.Errorf("exit %d", code)
	}
	if a := <-gone; a.err == nil {
		t.Errorf("an answer from the dead: %+v", a)
	}
	p = startProxy(t, database, args...)
	for i, was := range first {
		if a := p.post("/", fmt.Sprint("k", i), fmt.Sprint("b", i)); was.status != 201 || a.body != was.body || !a.replayed {
			t.Errorf("%d: %+v, was %+v", i, a, was)
		}
	}
	a := p.post("/stall", "stalled", "stalled")
	for a.status == 409 && strings.Contains(a.body, "in-progress") { // each waits for two seconds
		a = p.post("/stall", "stalled", "stalled")
	}
	if a.status != 409 || !strings.Contains(a.body, "outcome-unknown") {
		t.Errorf("%+v", a)
	}
	p.endsWithTheStalledOneUnknown(t, up)
	up.kill(t)
}

// endsWithTheStalledOneUnknown: what was under way at the kill is unknown and nothing else is, nothing took effect twice, and the proxy ends well.
func (p *proxyProcess) endsWithTheStalledOneUnknown(t *testing.T, up *upstreamProcess) {
	t.Helper()
	if got := p.unknowns(); len(got) != 1 || got[0] != "stalled" {
		t.Errorf("unknown are %v", got)
	}
	for body, n := range up.effects(t) {
		if n != 1 {
			t.Errorf("%s took effect %d times", body, n)
		}
	}
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestProxyReadsItsFileAgain(t *testing.T) {
	up := startUpstream(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "ledger"))
	defer up.kill(t)
	file := filepath.Join(t.TempDir(), "proxy.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte("upstream: http://"+up.address+"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("routes:\n  - {match: /a, max-body: 3}\n")
	p := startProxy(t, "memory:", "--config", file)
	if a := p.post("/a", "k", "four"); a.status != 413 {
		t.Errorf("%+v", a)
	}
	for text, mark := range map[string]string{"routes: {}": "the old ones stay", "window: 2h": "window can be changed by a restart only"} {
		write(text)
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.line(mark)
		if a := p.post("/a", "k", "four"); a.status != 413 {
			t.Errorf("after %q: %+v", text, a)
		}
	}
	write("routes:\n  - {match: /a, max-body: 4}\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.line("settings read again")
	if a := p.post("/a", "k", "four"); a.status != 201 {
		t.Errorf("%+v", a)
	}
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// A memory store that starts has forgotten: what may have been carried out before is refused if its key says when it was minted.
func TestProxyOverANewMemoryRefusesOldKeys(t *testing.T) {
	old, err := onceward.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	up := startUpstream(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "ledger"))
	defer up.kill(t)
	p := startProxy(t, "memory:", "--upstream", "http://"+up.address)
	if a := p.post("/", old.Text(), "old"); a.status != 410 {
		t.Errorf("%+v", a)
	}
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestProxyCheckPrintsGuarantees(t *testing.T) {
	out, err := run("proxy", "--check", "--upstream", "http://127.0.0.1:1", "--scope", "basic", "--store", "memory:", "--key", "optional",
		"--drain", "1s", "--routes", "{match: POST /only}", "--routes", "{match: \"PUT\\t/x\"}", "--routes", "{match: GET /q}",
		"--routes", "{match: POST /jobs, on-lapse: rerun, key: required}", "--routes", "{match: PUT /files/, key: off}")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"POST /jobs\n  POST; without a key they are refused.\n  At least once", "POST /only\n  POST with a key;", "PUT\t/x\n  PUT with a key;", "GET /q\n  Passes untouched", "drain is 1s and timeout 1m0s", "PUT /files/\n  Passes untouched: nothing is promised.\n",
		"*\n  POST, PATCH with a key; without one they pass untouched, and nothing is promised.\n  At most once", "  - After a restart every key is new",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// A check beside a proxy that runs does not touch its directory.
func TestProxyCheckLeavesTheDirectoryAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	out, err := run("proxy", "--check", "--upstream", "http://127.0.0.1:1", "--scope", "global", "--data", dir)
	if err != nil || !strings.Contains(out, "survives power loss") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the check has made the directory: %v", err)
	}
}

func TestProxyRefusesWrongSettings(t *testing.T) {
	for want, args := range map[string]string{
		"upstream is missing":                         "",
		"scope is missing":                            "--upstream http://127.0.0.1:1",
		"store pebble: names no directory":            "--upstream http://127.0.0.1:1 --scope global --store pebble:",
		"store is not known: use pebble:DIR, memory:": "--upstream http://127.0.0.1:1 --scope global --store mysql:secret",
		"the URL: it has no scheme":                   "--upstream http://127.0.0.1:1 --scope global --store redis:secret",
		"the URL: an @ stands behind":                 "--upstream http://127.0.0.1:1 --scope global --store redis://u:secret/secret@127.0.0.1",
		"has nothing behind the colon":                "--upstream http://127.0.0.1:1 --scope global --store memory:secret",
		"store is not understood":                     "--upstream http://127.0.0.1:1 --scope global --store postgres://u:secret@x:no/d",
		"data is short for store":                     "--data x --store memory:",
		"an argument too many":                        "secret",
		"unknown flag: --stor":                        "--stor=postgres://u:secret@x/d",
		"--config: open /no/such/file":                "--config /no/such/file",
		"onceward: proxy: ":                           "--upstream x",
		"admin-token: open /no/such/file":             "--upstream http://127.0.0.1:1 --scope global --store memory: --check --admin-token /no/such/file",
		`--wait: "soon" is no time`:                   "--wait soon",
	} {
		cmd := command(t, append([]string{"proxy"}, strings.Fields(args)...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		code := exitCode(t, cmd.Run())
		if code != 1 || stdout.Len() != 0 || !strings.Contains(stderr.String(), want) || strings.Contains(stderr.String(), "secret") || strings.Contains(stderr.String(), "onceward: onceward") {
			t.Errorf("proxy %s: exit %d, stdout %q, stderr %q; want %q", args, code, stdout.String(), stderr.String(), want)
		}
	}
}
