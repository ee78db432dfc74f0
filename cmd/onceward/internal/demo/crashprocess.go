package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Settings of the proxy. The lease is short so that nobody waits long for what a killed proxy was at.
const (
	proxyLease = "2100ms"
	proxyWait  = "200ms"
)

// houses are the two processes, and the folder that outlives them.
type houses struct {
	program func(ctx context.Context, args ...string) *exec.Cmd
	folder  string
	address string // of the proxy, the same in all its lives: the host counts when requests are compared
	bankAt  string // of the bank, the same in all its lives; at first a free port
	held    chan string

	bank, proxy *house
}

// house is a running process.
type house struct {
	cmd   *exec.Cmd
	input io.Closer
	ended chan struct{} // closed when the process is gone
	err   error         // of its end
}

func newHouses(ctx context.Context, program func(context.Context, ...string) *exec.Cmd) (*houses, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the demo needs a loopback port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "onceward-")
	if err != nil {
		return nil, fmt.Errorf("the demo needs a temporary folder: %w", err)
	}
	return &houses{program: program, folder: folder, address: address, bankAt: "127.0.0.1:0", held: make(chan string, 1024)}, nil
}

func (h *houses) ledger() string { return filepath.Join(h.folder, "ledger") }

// admin is where the admin API is; the kernel says that this process may use it.
func (h *houses) admin() string { return "unix:" + filepath.Join(h.folder, "admin") }

func (h *houses) startBank(ctx context.Context) (err error) {
	listening := make(chan string, 1)
	h.bank, err = start(h.program(ctx, "demo", "bank", h.bankAt, h.ledger()), (*exec.Cmd).StdoutPipe, func(line string) {
		if at, ok := strings.CutPrefix(line, saysListening); ok {
			listening <- at
		}
		if name, ok := strings.CutPrefix(line, saysHolding); ok {
			h.held <- name
		}
	})
	if err != nil {
		return err
	}
	select {
	case h.bankAt = <-listening:
		return nil
	case <-h.bank.ended:
		return fmt.Errorf("the bank did not start: %w", h.bank.err)
	}
}

func (h *houses) startProxy(ctx context.Context) (err error) {
	listening := make(chan struct{}, 1)
	last := ""
	h.proxy, err = start(h.program(ctx, "proxy", "--listen", h.address, "--upstream", "http://"+h.bankAt, "--scope", "global", "--data", filepath.Join(h.folder, "data"),
		"--admin", h.admin(), "--lease", proxyLease, "--wait", proxyWait), (*exec.Cmd).StderrPipe, func(line string) {
		last = line
		if strings.Contains(line, "msg=listening") {
			listening <- struct{}{}
		}
	})
	if err != nil {
		return err
	}
	select {
	case <-listening:
		return nil
	case <-h.proxy.ended:
		return fmt.Errorf("the proxy did not start: %w: %s", h.proxy.err, last)
	}
}

// start starts a process and tells each line of one of its outputs.
func start(cmd *exec.Cmd, output func(*exec.Cmd) (io.ReadCloser, error), tell func(line string)) (*house, error) {
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "ONCEWARD_PROXY_") { // they would count like settings of ours
			cmd.Env = append(cmd.Env, setting)
		}
	}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	lines, err := output(cmd)
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the demo starts processes of this program: %w", err)
	}
	h := &house{cmd: cmd, input: input, ended: make(chan struct{})}
	go func() {
		for scan := bufio.NewScanner(lines); scan.Scan(); {
			tell(scan.Text())
		}
		h.err = cmd.Wait()
		close(h.ended)
	}()
	return h, nil
}

// kill is SIGKILL; it returns when the process is gone.
func (h *house) kill() {
	_ = h.cmd.Process.Kill() // it may be gone already
	<-h.ended
}

// endBank lets it finish what it is at.
func (h *houses) endBank() error {
	h.bank.input.Close()
	<-h.bank.ended
	if h.bank.err != nil {
		return fmt.Errorf("the bank did not end well: %w", h.bank.err)
	}
	return nil
}

func (h *houses) endProxy() error {
	if err := h.proxy.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.proxy.kill() // a system without such signals
		return nil     //nolint:nilerr // as above
	}
	<-h.proxy.ended
	if h.proxy.err != nil {
		return fmt.Errorf("the proxy did not end well: %w", h.proxy.err)
	}
	return nil
}

// close leaves nothing behind, whatever has happened.
func (h *houses) close() error {
	for _, p := range []*house{h.proxy, h.bank} {
		if p != nil {
			p.kill()
		}
	}
	return os.RemoveAll(h.folder)
}
