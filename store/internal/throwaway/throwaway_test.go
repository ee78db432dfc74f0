package throwaway_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/onceward/onceward/store/internal/throwaway"
)

// server notes when it is closed.
type server struct {
	closed bool
	err    error
}

func (s *server) Close() error {
	s.closed = true
	return s.err
}

// run is a package's tests.
type run func() int

func (r run) Run() int { return r() }

// said is a test that notes what is said of it, and ends there.
type said struct {
	ctx      context.Context
	what     string
	cleanups []func()
}

type ended struct{}

func (s *said) Helper()                           {}
func (s *said) Context() context.Context          { return s.ctx }
func (s *said) Cleanup(f func())                  { s.cleanups = append(s.cleanups, f) }
func (s *said) Errorf(format string, args ...any) { s.what = "error: " + fmt.Sprintf(format, args...) }
func (s *said) Fatalf(format string, args ...any) {
	s.what = "fatal: " + fmt.Sprintf(format, args...)
	panic(ended{})
}
func (s *said) Skipf(format string, args ...any) {
	s.what = "skip: " + fmt.Sprintf(format, args...)
	panic(ended{})
}

func within(t *testing.T, f func(*said)) (s *said) {
	s = &said{ctx: t.Context()}
	defer func() {
		if r := recover(); r != nil && r != any(ended{}) {
			panic(r)
		}
		for _, c := range s.cleanups {
			c()
		}
	}()
	f(s)
	return s
}

func servers(missing error) *throwaway.Servers[*server] {
	return &throwaway.Servers[*server]{
		Package: "sometest", Missing: func() error { return missing }, Start: func(context.Context) (*server, error) { return &server{}, nil },
	}
}

func TestSharedIsOneAndEndsWithMain(t *testing.T) {
	v := servers(nil)
	if s := within(t, func(s *said) { v.Shared(s) }); s.what != "fatal: sometest.Shared needs: func TestMain(m *testing.M) { os.Exit(sometest.Main(m)) }" {
		t.Error(s.what)
	}
	var shared *server
	after := false
	if status := v.Main(run(func() int {
		within(t, func(s *said) { shared = v.Shared(s) })
		within(t, func(s *said) {
			if v.Shared(s) != shared || shared.closed {
				t.Error("it is not the same, or closed with the first test")
			}
		})
		return 0
	}), func() error { after = shared.closed; return nil }); status != 0 || !after {
		t.Errorf("status %d, closed %v before what comes after", status, after)
	}
	for name, c := range map[string]struct{ close, after error }{"closing": {close: errors.New("it hangs")}, "what comes after": {after: errors.New("it stays")}} {
		status := v.Main(run(func() int { within(t, func(s *said) { v.Shared(s).err = c.close }); return 0 }), func() error { return c.after })
		if status != 1 {
			t.Errorf("%s failed: status %d", name, status)
		}
	}
	if status := v.Main(run(func() int { return 3 }), func() error { return errors.New("too") }); status != 3 {
		t.Errorf("the tests' status became %d", status)
	}
}

func TestMissingServersAreSkippedButNotInCI(t *testing.T) {
	v := servers(errors.New("no server found"))
	for ci, want := range map[string]string{"": "skip: SKIPPED, NOT TESTED: no server found", "true": "fatal: no server found"} {
		t.Setenv("CI", ci)
		for _, use := range []func(*said){func(s *said) { v.Require(s) }, func(s *said) { v.Shared(s) }, func(s *said) { v.Own(s, v.Start) }} {
			if s := within(t, use); s.what != want {
				t.Errorf("CI=%s: %s", ci, s.what)
			}
		}
	}
}

func TestOwnEndsWithItsTest(t *testing.T) {
	v := servers(nil)
	var own *server
	s := within(t, func(s *said) {
		own = v.Own(s, func(context.Context) (*server, error) { return &server{err: errors.New("it hangs")}, nil })
		if own.closed {
			t.Error("closed while its test runs")
		}
	})
	if !own.closed || s.what != "error: it hangs" {
		t.Errorf("closed %v, said %q", own.closed, s.what)
	}
	if s := within(t, func(s *said) { v.Own(s, func(context.Context) (*server, error) { return nil, errors.New("no port") }) }); s.what != "fatal: no port" {
		t.Error(s.what)
	}
}
