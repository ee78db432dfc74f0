package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// What the store finds wrong in its files is in the log, in its form, and not only in the answer to a client.
func TestProxyLogsWhatPebbleSays(t *testing.T) {
	up := startUpstream(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "ledger"))
	defer up.kill(t)
	dir := filepath.Join(t.TempDir(), "data")
	args := []string{"--upstream", "http://" + up.address}
	for range 2 { // the second life puts the record into a table
		p := startProxy(t, "pebble:"+dir, args...)
		if a := p.post("/", "k", "one"); a.status != 201 {
			t.Fatalf("%+v", a)
		}
		if code := p.end(syscall.SIGTERM); code != 0 {
			t.Fatal(code)
		}
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables to damage: %v", err)
	}
	for _, name := range tables {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/3] ^= 0x10
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := startProxy(t, "pebble:"+dir, append(args, "--drain", "300ms")...) // what it could not claim it would try to take back
	if a := p.post("/", "k", "one"); a.status != 503 || !a.refused {
		t.Errorf("out of a damaged table: %+v", a)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(p.log)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	if !regexp.MustCompile(`(?m)^time=\S+ level=ERROR .*is damaged.*restore`).Match(rest) {
		t.Errorf("the log does not tell of the damage:\n%s", rest)
	}
}

// What an upstream sends beyond its reply, which net/http tells by package log, is not shown.
func TestProxyDoesNotLogRestsOfReplies(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		if _, err := http.ReadRequest(in); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\nSECRET \"SECRET\"")
			_, _ = io.Copy(io.Discard, in)
		}
	}()
	p := startProxy(t, "memory:", "--upstream", "http://"+l.Addr().String())
	if a := p.post("/", "k", ""); a.status != 204 {
		t.Errorf("%+v", a)
	}
	if line := p.line("Unsolicited response"); strings.Contains(line, "SECRET") {
		t.Errorf("the log says %s", line)
	}
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Error(code)
	}
}
