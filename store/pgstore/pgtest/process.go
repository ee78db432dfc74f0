package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// process is a running postmaster.
type process struct {
	pid   int
	ended chan struct{} // closed when it has
}

var errEnded = errors.New("the server ended at once")

// launch starts the postmaster. It lives on a thread of its own: the kernel's signal on the parent's death means the death of the thread
// that started the child.
func launch(path string, args []string, dir string, o *owner) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = attributes(o)
	started := make(chan error, 1)
	p := &process{ended: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		defer close(p.ended)
		defer log.Close()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // its status says nothing that its log does not
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	return p, nil
}

// ready returns when the server takes connections.
func (p *process) ready(ctx context.Context, url string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		select {
		case <-p.ended:
			return errEnded
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-tick.C:
		}
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		last = err
	}
}

// stop asks for a fast shutdown, then for an immediate one, then kills.
func (p *process) stop() error {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		if err := p.signal(signal); err != nil {
			break
		}
		if p.wait(20 * time.Second) {
			return nil
		}
	}
	return p.kill()
}

func (p *process) kill() error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	if err := killTree(p.pid); err != nil {
		return err
	}
	if !p.wait(20 * time.Second) {
		return fmt.Errorf("pgtest: PostgreSQL, process %d, does not end", p.pid)
	}
	return nil
}

func (p *process) signal(s syscall.Signal) error {
	select {
	case <-p.ended: // its number may be another's by now
		return nil
	default:
	}
	child, err := os.FindProcess(p.pid)
	if err != nil {
		return err
	}
	return child.Signal(s)
}

func (p *process) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.ended:
		return true
	case <-timer.C:
		return false
	}
}
