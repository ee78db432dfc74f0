package redistest

import (
	"context"

	"github.com/onceward/onceward/store/internal/throwaway"
)

// TB is the part of testing.TB that this package needs.
type TB = throwaway.TB

var servers = throwaway.Servers[*Server]{
	Package: "redistest",
	Missing: func() error { _, err := Find(); return err },
	Start:   func(ctx context.Context) (*Server, error) { return Start(ctx, Config{}) },
}

// Main runs a package's tests and then stops the server that they shared. It returns the exit status.
func Main(m interface{ Run() int }) int { return servers.Main(m, func() error { return nil }) }

// Require skips the test if Redis is missing, and fails it if the environment says CI=true.
func Require(t TB) {
	t.Helper()
	servers.Require(t)
}

// Shared returns the one server that the tests of the package share, with the zero Config. The first call starts it, [Main] stops it.
func Shared(t TB) *Server {
	t.Helper()
	return servers.Shared(t)
}

// Own starts a server for one test, which may kill it. It is gone when the test ends.
func Own(t TB, c Config) *Server {
	t.Helper()
	return servers.Own(t, func(ctx context.Context) (*Server, error) { return Start(ctx, c) })
}
