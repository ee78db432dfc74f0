package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/memstore"
)

// terminal opens a pseudo-terminal: the command gets the end that is one, and the test types at the other.
func terminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var number, locked uint32
	for _, call := range []struct {
		request uintptr
		value   *uint32
	}{{syscall.TIOCSPTLCK, &locked}, {syscall.TIOCGPTN, &number}} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), call.request, uintptr(unsafe.Pointer(call.value))); errno != 0 {
			t.Skipf("no pseudo-terminals here: %v", errno)
		}
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}

// typed runs the command at a terminal, and calls meanwhile when it has asked; then it types the answer.
func typed(t *testing.T, answer string, meanwhile func(asked string), args ...string) (code int, stdout, stderr string) {
	t.Helper()
	keyboard, screen := terminal(t)
	cmd := command(t, append([]string{"keys"}, args...)...)
	var out, notes bytes.Buffer
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout = screen, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for b := make([]byte, 512); !strings.HasSuffix(notes.String(), " Type yes: "); {
		n, err := pipe.Read(b)
		notes.Write(b[:n])
		if err != nil {
			break
		}
	}
	meanwhile(notes.String())
	if _, err := io.WriteString(keyboard, answer+"\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := notes.ReadFrom(pipe); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
	return exitCode(t, cmd.Wait()), out.String(), notes.String()
}

// At a terminal a person sees the record, is asked, and decides about what was shown.
func TestKeysAtATerminal(t *testing.T) {
	s := memoryStation(t)
	key, id := s.unknown("alice")
	resolve := []string{"resolve", id, "--happened", "--reply", file(t, receipt), "--reason", reason, "--actor", olga}
	asks := func(asked string) {
		for _, want := range []string{key, "it is held until its late owner", "it HAPPENED", "with status 201", "Nothing takes it back"} {
			if !strings.Contains(asked, want) {
				t.Errorf("the question does not say %q:\n%s", want, asked)
			}
		}
	}
	for _, no := range []string{"no", "", "y"} {
		if code, _, notes := typed(t, no, asks, resolve...); code != exitUnconfirmed || !strings.Contains(notes, "nothing was changed") {
			t.Errorf("%q: exit %d: %s", no, code, notes)
		}
	}
	s.untouched(id, "unknown")
	if code, out, notes := typed(t, "yes", asks, resolve...); code != 0 || !strings.Contains(out, "done:reply") {
		t.Errorf("yes: exit %d: %s %s", code, out, notes)
	}
	if status, reply, replayed := s.call("alice", key, wavers); status != 201 || reply != payment || !replayed {
		t.Errorf("the client's retry: %d %s %v", status, reply, replayed)
	}
	notice := func(want string) func(string) {
		return func(asked string) {
			if !strings.Contains(asked, want) {
				t.Errorf("the question does not say %q:\n%s", want, asked)
			}
		}
	}
	_, id = s.unknown("alice")
	typed(t, "no", notice("did NOT happen?"), "resolve", id, "--did-not-happen", "--reason", reason)
	typed(t, "no", notice("no earlier owner can act"), "resolve", id, "--did-not-happen", "--attested", "--reason", reason)
	// What does not fit is not asked about.
	if code, _, notes := typed(t, "yes", func(string) {}, "release", id, "--reason", reason); code != exitConflict || strings.Contains(notes, "Type yes") {
		t.Errorf("release: exit %d: %s", code, notes)
	}
	version := fmt.Sprint(s.record(id).Record.Version + 1)
	if code, _, notes := typed(t, "yes", func(string) {}, "resolve", id, "--did-not-happen", "--version", version, "--reason", reason); code != exitConflict || strings.Contains(notes, "Type yes") {
		t.Errorf("another version: exit %d: %s", code, notes)
	}
	s.untouched(id, "unknown")
}

// While a person thinks, the record changes: what was not shown is not decided about.
func TestKeysRefuseWhatHasChangedWhileSomebodyWasThinking(t *testing.T) {
	s := memoryStation(t)
	_, id := s.unknown("alice")
	colleague := func(string) {
		keys(t, append([]string{"resolve", id, "--happened", "--no-reply"}, s.at(id)...)...).ends(t, 0)
	}
	code, _, notes := typed(t, "yes", colleague, "resolve", id, "--did-not-happen", "--reason", "the bank has none")
	if code != exitConflict || !strings.Contains(notes, "done already") || !strings.Contains(notes, "Nothing was changed; the record is now done:reply-not-kept") {
		t.Errorf("exit %d: %s", code, notes)
	}
	if shown := s.record(id); len(shown.Trail) != 1 || shown.Record.End != "reply-not-kept" {
		t.Errorf("%+v", shown)
	}
}

// The same if it is unknown again by then: it ran once more in between, and what was found out may be of the run before.
func TestKeysRefuseWhatRanAgainWhileSomebodyWasThinking(t *testing.T) {
	s := newStation(t, memstore.New(memstore.Config{}), onceward.Config{OnLapse: onceward.Rerun})
	key, id := s.unknown("alice")
	looked := s.at(id)
	again := func(string) { s.call("alice", key, wavers) }
	code, _, notes := typed(t, "yes", again, "resolve", id, "--did-not-happen", "--reason", "the bank has none")
	if code != exitConflict || !strings.Contains(notes, "changed since that version") || s.made.Load() != 2 {
		t.Errorf("exit %d, %d effects: %s", code, s.made.Load(), notes)
	}
	keys(t, append([]string{"resolve", id, "--did-not-happen"}, looked...)...).ends(t, exitConflict, "changed since that version")
	s.untouched(id, "unknown")
}
