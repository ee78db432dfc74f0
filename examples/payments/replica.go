package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// A replica is another process of the service, on the same database. Scenes use one to kill it: no defer runs, no connection is closed politely.

// serveReplica is that process: it serves until a handler has written, and then kills itself; or until its parent closes stdin.
func serveReplica(ctx context.Context, database string, stdin io.Reader, stdout io.Writer) error {
	b, err := openPostgres(ctx, database)
	if err != nil {
		return err
	}
	defer b.Close()
	mux, err := newMux(b, &stage{ledger: b.ledger, written: dieNow}, dieNow)
	if err != nil {
		return err
	}
	url, server, err := listen(mux)
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Fprintln(stdout, url)
	_, err = io.Copy(io.Discard, stdin)
	return err
}

func dieNow() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // until the signal arrives
}

type replica struct {
	*httputil.ReverseProxy
	cmd   *exec.Cmd
	stdin io.Closer
}

// startReplica starts one. gone is called when a request finds it dead.
func startReplica(ctx context.Context, database string, gone func()) (*replica, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-replica", database)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the replica did not start: %w, %w", err, cmd.Wait())
	}
	address, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(address)
			p.Out.Host = p.In.Host // the host is part of what makes two requests the same
			p.Out.GetBody = nil    // or net/http might send it again by itself
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			gone()
			panic(http.ErrAbortHandler)
		},
	}
	return &replica{proxy, cmd, stdin}, nil
}

// end returns when the process has ended, and how.
func (r *replica) end() string {
	r.stdin.Close()
	_ = r.cmd.Wait() // how it ended is what ProcessState says
	return r.cmd.ProcessState.String()
}
