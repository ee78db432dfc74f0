package redistest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/onceward/onceward/store/internal/throwaway"
)

// Config configures a [Server]. The zero value keeps nothing on disk.
type Config struct {
	// Durable appends every write to a file and syncs it before answering.
	Durable bool

	// Settings are further parameters, as in redis.conf. They come last and win.
	Settings map[string]string

	// Lines are lines of redis.conf as they are, for parameters that come more than once.
	Lines []string

	sentinel bool
}

// Server is a Redis server of this process.
type Server struct {
	config  Config
	path    string
	dir     string
	port    int
	running *process // nil: stopped
}

// Start starts a server. The caller closes it. Without Redis on this machine the error is [ErrMissing].
func Start(ctx context.Context, c Config) (*Server, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "onceward-redis-")
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, path: path, dir: dir}
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

// Address is where the server listens; it stays the same through restarts.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", s.Port()) }

// Port is the port of [Server.Address].
func (s *Server) Port() string { return strconv.Itoa(s.port) }

// PID is the server's process id; zero while it is stopped.
func (s *Server) PID() int {
	if s.running == nil {
		return 0
	}
	return s.running.cmd.Process.Pid
}

// Log is what the server has written so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Talk is [Talk] with this server.
func (s *Server) Talk(command ...string) (any, error) { return Talk(s.Address(), command...) }

// Restart starts the server on its data and port, after a Stop, a Kill, or while it runs, and returns when it answers.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	file := filepath.Join(s.dir, "redis.conf")
	if _, err := os.Stat(file); err != nil || !s.config.sentinel { // a sentinel rewrites its own
		if err := os.WriteFile(file, s.config.text(s.dir, s.port), 0o644); err != nil {
			return err
		}
	}
	args := []string{file}
	if s.config.sentinel {
		args = append(args, "--sentinel")
		if err := os.Chmod(file, 0o666); err != nil {
			return err
		}
	}
	p, err := launch(s.dir, s.path, args...)
	if err != nil {
		return err
	}
	s.running = p
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := until(ctx, p, func() bool { return answers(s.Address()) }); err != nil {
		return errors.Join(fmt.Errorf("redistest: start Redis: %w; its log:\n%s", err, s.Log()), s.Stop())
	}
	return nil
}

// answers reports whether a server is up: loaded, and not refusing for another reason than that it wants a password.
func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	_, err = Talk(address, "PING")
	return err == nil || len(err.Error()) > 6 && err.Error()[:6] == "NOAUTH"
}

var errEnded = errors.New("the server ended at once")

// until polls; p ending ends it.
func until(ctx context.Context, p *process, ready func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-p.ended:
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func (c Config) text(dir string, port int) []byte {
	settings := map[string]string{"port": strconv.Itoa(port), "bind": "127.0.0.1", "dir": dir}
	if !c.sentinel {
		maps.Copy(settings, map[string]string{
			"save": `""`, "appendonly": "no", "repl-diskless-sync-delay": "0", "enable-debug-command": "local", "activerehashing": "yes",
		})
	}
	if c.Durable {
		settings["appendonly"], settings["appendfsync"] = "yes", "always"
	}
	maps.Copy(settings, c.Settings)
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		b = fmt.Appendf(b, "%s %s\n", name, settings[name])
	}
	for _, line := range c.Lines {
		b = fmt.Appendln(b, line)
	}
	return b
}

// Stop ends the server as a service manager does.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

// Kill ends the server with SIGKILL, as the kernel does when memory runs out.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

func (s *Server) end(by syscall.Signal) error {
	if s.running == nil {
		return nil
	}
	p := s.running
	s.running = nil
	return p.end(by)
}

// Freeze stops the process, which neither answers nor hangs up until [Server.Thaw].
func (s *Server) Freeze() error { return s.running.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (s *Server) Thaw() error { return s.running.signal(syscall.SIGCONT) }

// Close stops the server and removes its folder.
func (s *Server) Close() error { return errors.Join(s.Kill(), os.RemoveAll(s.dir)) }
