package redistest

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// TB is the part of testing.TB that this package needs.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// shared is the server of this process's tests, between the beginning and the end of Main.
var shared struct {
	sync.Mutex
	open   bool
	server *Server
}

// Main runs a package's tests and then stops the server that they shared. It returns the exit status.
func Main(m interface{ Run() int }) int {
	shared.Lock()
	shared.open = true
	shared.Unlock()
	status := m.Run()
	shared.Lock()
	defer shared.Unlock()
	shared.open = false
	if shared.server != nil {
		if err := shared.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = max(status, 1)
		}
		shared.server = nil
	}
	return status
}

// Require skips the test if Redis is missing, and fails it if the environment says CI=true.
func Require(t TB) {
	t.Helper()
	_, err := Find()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%v", err)
	default:
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
}

// Shared returns the one server that the tests of the package share, with the zero Config. The first call starts it, [Main] stops it.
func Shared(t TB) *Server {
	t.Helper()
	Require(t)
	shared.Lock()
	defer shared.Unlock()
	if !shared.open {
		t.Fatalf("redistest.Shared needs: func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }")
	}
	if shared.server == nil {
		s, err := Start(context.Background(), Config{}) // it outlives the test that happens to be the first
		if err != nil {
			t.Fatalf("%v", err)
		}
		shared.server = s
	}
	return shared.server
}

// Own starts a server for one test, which may kill it. It is gone when the test ends.
func Own(t TB, c Config) *Server {
	t.Helper()
	Require(t)
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return s
}
