package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/onceward/onceward/store/internal/throwaway"
)

const superuser = "postgres"

// Server is a PostgreSQL server of this process. Its methods are safe for concurrent use, but for those that start and stop it.
type Server struct {
	config  Config
	bin     string
	owner   *owner
	folder  *folder
	port    int
	running *process // nil: stopped
	killed  bool

	mu        sync.Mutex
	databases int
}

// Start makes a data directory and starts a server on it. The caller closes it. Without PostgreSQL on this machine the error is [ErrMissing].
func Start(ctx context.Context, c Config) (*Server, error) {
	bin, err := Find()
	if err != nil {
		return nil, err
	}
	o, err := serverOwner()
	if err != nil {
		return nil, err
	}
	f, err := newFolder(c.Dir, o)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, bin: bin, owner: o, folder: f}
	if err := makeCluster(ctx, bin, s.DataDir(), o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for range 5 { // another process may have taken the port in between
		if s.port, err = throwaway.FreePort(); err != nil {
			break
		}
		if err = s.Restart(ctx); !errors.Is(err, errEnded) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// DataDir is the data directory. Its files belong to the server's account.
func (s *Server) DataDir() string { return filepath.Join(s.folder.path, "data") }

// Address is the server's TCP address; it stays the same through restarts.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// SocketDir is the folder of the server's Unix socket.
func (s *Server) SocketDir() string { return s.folder.path }

// URL is where to connect as superuser to a database; "postgres" is always there.
func (s *Server) URL(database string) string { return s.URLAs(superuser, database) }

// URLAs is where to connect as a role. No role needs a password.
func (s *Server) URLAs(role, database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", role, s.Address(), database)
}

// PID is the postmaster's process id; zero while it is stopped.
func (s *Server) PID() int {
	if s.running == nil {
		return 0
	}
	return s.running.pid
}

// Log is what the server has written so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.folder.path, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Restart starts the server on its data and port, after a Stop, a Kill, or while it runs, and returns when it takes connections.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	flags := append([]string{"-D", s.DataDir(), "-c", "port=" + strconv.Itoa(s.port), "-c", "unix_socket_directories=" + s.SocketDir()},
		s.config.flags("127.0.0.1")...)
	p, err := launch(filepath.Join(s.bin, "postgres"), flags, s.folder.path, s.owner)
	if err != nil {
		return err
	}
	s.running = p
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.ready(ctx, s.URL("postgres")); err != nil {
		err = fmt.Errorf("pgtest: start PostgreSQL: %w; its log:\n%s", err, s.Log())
		return errors.Join(err, s.Stop())
	}
	s.killed = false
	return nil
}

// Stop ends the server as a service manager does: open transactions are rolled back, what was committed is on the disk.
func (s *Server) Stop() error {
	if s.running == nil {
		return nil
	}
	p := s.running
	s.running = nil
	return p.stop()
}

// Kill ends the server and its backends with SIGKILL, as the kernel does when memory runs out. Restart recovers what was committed.
func (s *Server) Kill() error {
	if s.running == nil {
		return errors.New("pgtest: Kill: the server does not run")
	}
	p := s.running
	s.running = nil
	s.killed = true
	return p.kill()
}

// Close stops the server and removes its data, and of a program also the template that its servers are copied from.
func (s *Server) Close() error {
	err := s.Stop()
	if s.killed {
		removeSegment(s.DataDir())
	}
	return errors.Join(err, s.folder.remove(), dropTemplate())
}
