// Package throwaway is what packages have in common that start a store's servers for tests: one server that the tests of a package share, and servers of one
// test each. Such a package says what its server is; this one says when it starts and ends, and what happens where it cannot.
package throwaway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// TB is the part of testing.TB that such packages need.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Servers are a package's servers of type S.
type Servers[S io.Closer] struct {
	Package string                           // that has them, by name
	Missing func() error                     // why this machine has none; nil: it has
	Start   func(context.Context) (S, error) // the one that is shared

	mu     sync.Mutex
	open   bool // between the beginning and the end of Main
	shared *S
}

// Main runs a package's tests, and then stops the server that they shared and calls after. It returns the exit status.
func (v *Servers[S]) Main(m interface{ Run() int }, after func() error) int {
	v.mu.Lock()
	v.open = true
	v.mu.Unlock()
	status := m.Run()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open = false
	var err error
	if v.shared != nil {
		err = (*v.shared).Close()
		v.shared = nil
	}
	if err = errors.Join(err, after()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = max(status, 1)
	}
	return status
}

// Require skips the test if the server is missing, and fails it if the environment says CI=true.
func (v *Servers[S]) Require(t TB) {
	t.Helper()
	err := v.Missing()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%v", err)
	default:
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
}

// Shared returns the one server that all tests of the package share. The first call starts it, Main stops it.
func (v *Servers[S]) Shared(t TB) S {
	t.Helper()
	v.Require(t)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.open {
		t.Fatalf("%[1]s.Shared needs: func TestMain(m *testing.M) { os.Exit(%[1]s.Main(m)) }", v.Package)
	}
	if v.shared == nil {
		s, err := v.Start(context.Background()) // it outlives the test that happens to be the first
		if err != nil {
			t.Fatalf("%v", err)
		}
		v.shared = &s
	}
	return *v.shared
}

// Own starts a server for one test, which may kill it. It is gone when the test ends.
func (v *Servers[S]) Own(t TB, start func(context.Context) (S, error)) S {
	t.Helper()
	v.Require(t)
	s, err := start(t.Context())
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
