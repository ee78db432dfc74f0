package redistest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// process is a running server.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
}

// launch starts a server. It lives on a thread of its own: the kernel's signal on the parent's death means the death of the thread that
// started the child.
func launch(dir, path string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if cmd.SysProcAttr, err = attributes(dir); err != nil {
		log.Close()
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		defer close(p.ended)
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its status says nothing that its log does not
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("redistest: %w", err)
	}
	return p, nil
}

func (p *process) signal(s syscall.Signal) error {
	select {
	case <-p.ended: // its number may be another's by now
		return nil
	default:
	}
	return p.cmd.Process.Signal(s)
}

// end sends the signal and waits for the end; who does not go is killed.
func (p *process) end(s syscall.Signal) error {
	for _, s := range []syscall.Signal{s, syscall.SIGKILL} {
		_ = p.signal(syscall.SIGCONT) // a stopped one would not hear
		if err := p.signal(s); err != nil {
			return err
		}
		timer := time.NewTimer(10 * time.Second)
		select {
		case <-p.ended:
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
	return fmt.Errorf("redistest: process %d does not end", p.cmd.Process.Pid)
}
