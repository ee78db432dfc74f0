package pgtest

import (
	"context"

	"github.com/onceward/onceward/store/internal/throwaway"
)

// TB is the part of testing.TB that this package needs.
type TB = throwaway.TB

var servers = throwaway.Servers[*Server]{
	Package: "pgtest",
	Missing: func() error { _, err := Find(); return err },
	Start:   func(ctx context.Context) (*Server, error) { return Start(ctx, Config{}) },
}

// Main runs a package's tests and then stops the server that they shared. It returns the exit status:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
func Main(m interface{ Run() int }) int {
	keepTemplate(true)
	return servers.Main(m, func() error {
		keepTemplate(false)
		return dropTemplate()
	})
}

// Require skips the test if PostgreSQL is missing, and fails it if the environment says CI=true.
func Require(t TB) {
	t.Helper()
	servers.Require(t)
}

// Shared returns the one server that all tests of the package share, with the zero Config. The first call starts it, [Main] stops it.
func Shared(t TB) *Server {
	t.Helper()
	return servers.Shared(t)
}

// Own starts a server for one test, which may kill it. It is gone when the test ends.
func Own(t TB, c Config) *Server {
	t.Helper()
	return servers.Own(t, func(ctx context.Context) (*Server, error) { return Start(ctx, c) })
}

// MustDatabase is Database for tests.
func (s *Server) MustDatabase(t TB) (url string) {
	t.Helper()
	url, err := s.Database(t.Context())
	if err != nil {
		t.Fatalf("%v", err)
	}
	return url
}
