package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A SIGHUP that comes while the proxy starts waits until it runs; by default it would end the process, here the test's.
func TestProxyIsHungUpWhileItStarts(t *testing.T) {
	var hangUp sync.Once
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hangUp.Do(func() { _ = syscall.Kill(os.Getpid(), syscall.SIGHUP) })
		fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":%q}]}`, base64.RawURLEncoding.EncodeToString(make([]byte, 32)))
	}))
	defer keys.Close()
	dir, err := os.MkdirTemp("", "once") //nolint:usetesting // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log, out := io.Pipe()
	root := newRoot()
	root.SetOut(io.Discard)
	root.SetErr(out)
	root.SetArgs([]string{"proxy", "--listen", "127.0.0.1:0", "--admin", "unix:" + filepath.Join(dir, "a"), "--upstream", "http://127.0.0.1:1", "--store", "memory:",
		"--scope", "jwt", "--jwt-keys", keys.URL, "--jwt-issuer", "i", "--jwt-audience", "a"})
	ended := make(chan error, 1)
	go func() {
		err := root.ExecuteContext(ctx)
		out.Close()
		ended <- err
	}()
	again := false
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if strings.Contains(lines.Text(), "settings read again") {
			again = true
			stop()
		}
	}
	if err := <-ended; err != nil || !again {
		t.Errorf("%v; read again: %v", err, again)
	}
}
