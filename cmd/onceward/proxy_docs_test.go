package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// manual is docs/proxy.md, whose blocks are run as they stand, but for addresses: others may use those.
type manual struct {
	t     *testing.T
	text  string
	moved *strings.Replacer
	proxy *proxyProcess
}

// block is the first block in a language that contains mark.
func (m *manual) block(language, mark string) string {
	m.t.Helper()
	for _, found := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(m.text, -1) {
		if strings.Contains(found[1], mark) {
			return m.moved.Replace(found[1])
		}
	}
	m.t.Fatalf("docs/proxy.md has no %s block with %s", language, mark)
	return ""
}

// bankBehindTheManual starts what the manual's first command starts, in front of a bank that knows nothing of keys.
func bankBehindTheManual(t *testing.T, transfers *atomic.Int64) *manual {
	t.Helper()
	text, err := os.ReadFile("../../docs/proxy.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no docs: this is a copy of the module alone")
	}
	if err != nil {
		t.Fatal(err)
	}
	bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := transfers.Add(1)
		if r.Header.Get("Content-Type") == "application/json" && r.ContentLength > 30 { // the long wish of the test below
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"transfer":%d}`+"\n", n)
	}))
	t.Cleanup(bank.Close)
	address := freeAddress(t)
	m := &manual{t: t, text: string(text), moved: strings.NewReplacer("127.0.0.1:8080", strings.TrimPrefix(bank.URL, "http://"), "127.0.0.1:9090", address)}
	p := &proxyProcess{t: t, cmd: command(t, shellWords(m.block("sh", "onceward proxy --upstream"))[1:]...)}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append(p.cmd.Env, "ONCEWARD_PROXY_ADMIN=unix:"+filepath.Join(p.cmd.Dir, "admin"))
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.log = bufio.NewReader(stderr)
	p.line("msg=listening")
	m.proxy = p
	return m
}

// end ends the proxy, whose records are where the manual says.
func (m *manual) end() {
	m.t.Helper()
	if code := m.proxy.end(syscall.SIGTERM); code != 0 {
		m.t.Errorf("exit %d", code)
	}
	if _, err := os.Stat(filepath.Join(m.proxy.cmd.Dir, "onceward-data")); err != nil {
		m.t.Error(err)
	}
}

// tool finds a program that the manual uses; a test is skipped for want of it, but not in CI.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("there is no %s: .ci/run installs it", name)
		}
		t.Skipf("there is no %s, so its block in docs/proxy.md is NOT tested here", name)
	}
	return path
}

// What the manual shows of curl is what curl shows, apart from headers that it leaves out.
func TestProxyManualsCurl(t *testing.T) {
	tool(t, "curl")
	var transfers atomic.Int64
	m := bankBehindTheManual(t, &transfers)
	defer m.end()
	session := m.block("console", "$ curl")
	for _, part := range strings.Split(strings.TrimPrefix(session, "$ "), "\n$ ") {
		line, shown, _ := strings.Cut(part, "\n")
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rest := strings.ReplaceAll(string(out), "\r\n", "\n")
		for _, want := range lines(shown) {
			_, after, found := strings.Cut("\n"+rest, "\n"+want+"\n")
			if !found {
				t.Errorf("%s\nno %q, or not there, in\n%s", line, want, out)
			}
			rest = after
		}
		if rest != "" {
			t.Errorf("%s\nthe manual leaves out %q", line, rest)
		}
	}
	if n := transfers.Load(); n != 1 {
		t.Errorf("%d transfers", n)
	}
}

// The client in Python gets its transfer through a network that loses the first reply, once; and gives up where nobody can tell.
func TestProxyManualsPython(t *testing.T) {
	python := tool(t, "python3")
	var transfers, sends atomic.Int64
	m := bankBehindTheManual(t, &transfers)
	defer m.end()
	client := m.block("python", "def transfer(")
	proxy := regexp.MustCompile(`http://[0-9.:]+`).FindString(client)
	to, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(to)
	forward.ModifyResponse = func(*http.Response) error {
		if sends.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	lossy := httptest.NewServer(forward)
	t.Cleanup(lossy.Close)
	program := strings.ReplaceAll(client, proxy, lossy.URL) + `
print(transfer("bob", 500))
try:
    print(transfer("somebody whose bank breaks down", 500))
except urllib.error.HTTPError as refusal:
    print(refusal.code)
`
	out, err := exec.CommandContext(t.Context(), python, "-c", program).CombinedOutput()
	if want := "{'transfer': 1}\n409\n"; err != nil || string(out) != want {
		t.Errorf("%v, %s, want %s", err, out, want)
	}
	if sends.Load() != 4 || transfers.Load() != 2 { // lost, replayed; in doubt, nobody knows
		t.Errorf("%d sends, %d transfers", sends.Load(), transfers.Load())
	}
}
