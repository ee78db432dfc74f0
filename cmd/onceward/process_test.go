package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// asCommand makes the test binary behave as the command that is built from this package, with its signals and exit codes.
const asCommand = "ONCEWARD_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if ledger := os.Getenv(asUpstream); ledger != "" {
		serveUpstream(ledger)
	}
	if os.Getenv(asCommand) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(pgtest.Main(m))
}

// process is a running `onceward faults`.
type process struct {
	url    string // from its first line on stderr
	cmd    *exec.Cmd
	stdout bytes.Buffer // complete when it has ended
	rest   chan string  // of stderr, when it has ended
	first  string
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

var listening = regexp.MustCompile(`listening on (\S+), `)

// startFaults starts the command on a free port and waits until it listens.
func startFaults(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{rest: make(chan string, 1)}
	p.cmd = command(t, append([]string{"faults", "--listen", "127.0.0.1:0"}, args...)...)
	p.cmd.Stdout = &p.stdout
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	p.first, err = lines.ReadString('\n')
	found := listening.FindStringSubmatch(p.first)
	if err != nil || found == nil {
		rest, _ := io.ReadAll(lines)
		t.Fatalf("it does not say where it listens: %q %s, %v", p.first, rest, p.cmd.Wait())
	}
	p.url = found[1]
	go func() {
		rest, _ := io.ReadAll(lines)
		p.rest <- string(rest)
	}()
	return p
}

// stop sends a signal and returns the exit code and what was on stderr after the first line.
func (p *process) stop(t *testing.T, signal syscall.Signal) (code int, stderr string) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	stderr = <-p.rest
	return exitCode(t, p.cmd.Wait()), stderr
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}

func TestWrongFlagsEndTheProcess(t *testing.T) {
	for want, args := range map[string]string{
		"--upstream is missing":             "",
		"--lose-reply is 1.5: use":          "--upstream http://127.0.0.1:1 --lose-reply 1.5",
		`invalid argument "x" for "--cut"`:  "--upstream http://127.0.0.1:1 --cut x",
		`--delay is "0.1:1s": use`:          "--upstream http://127.0.0.1:1 --delay 0.1:1s",
		"--lose-reply 0.6 --cut 0.5 are":    "--upstream http://127.0.0.1:1 --lose-reply 0.6 --cut 0.5",
		`--only "/a/*" is refused`:          "--upstream http://127.0.0.1:1 --only /a/*",
		"--log: open /no/such/folder/log":   "--upstream http://127.0.0.1:1 --listen 127.0.0.1:0 --log /no/such/folder/log",
		`unknown command "surplus"`:         "--upstream http://127.0.0.1:1 surplus",
		"unknown flag: --no-such-flag":      "--no-such-flag",
		"--upstream holds a user or a pass": "--upstream http://user:secret@127.0.0.1:1",
	} {
		cmd := command(t, append([]string{"faults"}, strings.Fields(args)...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		code := exitCode(t, cmd.Run())
		if code != 1 || stdout.Len() != 0 || !strings.Contains(stderr.String(), want) || strings.Contains(stderr.String(), "secret") {
			t.Errorf("faults %s: exit %d, stdout %q, stderr %q; want %q", args, code, stdout.String(), stderr.String(), want)
		}
	}
}
