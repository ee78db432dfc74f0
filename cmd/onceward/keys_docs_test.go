package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

func operations(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/operations.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no docs: this is a copy of the module alone")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// session is somebody at a shell, as docs/operations.md shows it. A command takes a minute.
type session struct {
	*station
	clock *tick
	home  string
	code  int // of the last command
}

// enter runs a line and returns what is on the screen afterwards.
func (s *session) enter(line string) string {
	s.t.Helper()
	s.clock.pass(time.Minute)
	words := shellWords(line)
	switch words[0] {
	case "export":
		return ""
	case "echo":
		return strconv.Itoa(s.code) + "\n"
	case "cat":
		b, err := os.ReadFile(filepath.Join(s.home, words[1]))
		if err != nil {
			s.t.Fatal(err)
		}
		return string(b)
	case "curl":
		return s.curl(words) + "\n"
	case "onceward":
		if i := slices.Index(words, "--reply"); i > 0 {
			words[i+1] = filepath.Join(s.home, words[i+1])
		}
		o := execute(s.t, words[1:]...)
		if s.code = exitStatus(o.err); o.err != nil {
			o.notes += fmt.Sprintf("onceward: %v\n", o.err)
		}
		return o.out + o.notes
	}
	s.t.Fatalf("the session does not know %q", words[0])
	return ""
}

// curl sends what the words say to the station, as alice.
func (s *session) curl(words []string) string {
	s.t.Helper()
	value := func(flag string) string { return words[slices.Index(words, flag)+1] }
	_, key, _ := strings.Cut(value("-H"), "Idempotency-Key: ")
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.service+"/payouts", io.NopCloser(strings.NewReader(value("--json"))))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, oncehttp.HeaderKey: {key}, "X-Caller": {"alice"}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

// shellWords splits a line at its spaces; what stands between single quotes is one word.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// The session in docs/operations.md is what these commands print, to the letter: times, ids and versions come from a set clock and fixed dice.
func TestKeysSessionInTheDocs(t *testing.T) {
	text := operations(t)
	clock := newTick(time.Date(2026, 11, 25, 10, 0, 0, 200e6, time.UTC))
	s := newStation(t, memstore.New(memstore.Config{Clock: clock.now}), onceward.Config{Rand: steady()})
	key, err := onceward.TypeID{Clock: func() time.Time { return clock.now().Add(-100 * time.Millisecond) }, Rand: steady()}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	if status, _, _ := s.call("alice", key.Text(), wavers); status != http.StatusServiceUnavailable {
		t.Fatal(status)
	}
	clock.pass(42 * time.Minute)
	sitting := &session{station: s, clock: clock, home: t.TempDir()}
	if err := os.WriteFile(filepath.Join(sitting.home, "reply.json"), []byte(receipt+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(text, -1) {
		var got strings.Builder
		for _, line := range lines(block[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				got.WriteString(line + "\n" + sitting.enter(command))
				ran++
			}
		}
		if got.String() != block[1] {
			t.Errorf("docs/operations.md shows\n%s\nthe key is %s, and it is\n%s", block[1], key.Text(), got.String())
		}
	}
	if ran < 8 || s.made.Load() != 1 {
		t.Errorf("%d lines in the session, %d effects", ran, s.made.Load())
	}
}

// Every exit code has a row that says what it means, and there are no others.
func TestKeysExitCodesInTheDocs(t *testing.T) {
	_, table, found := strings.Cut(operations(t), "| exit code | ")
	table, _, _ = strings.Cut(table, "\n\n")
	var said []int
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| \S.* \| \S.* \|$`).FindAllStringSubmatch(table, -1) {
		n, _ := strconv.Atoi(row[1])
		said = append(said, n)
	}
	if want := []int{0, exitFailed, exitWrong, exitMissing, exitConflict, exitUnconfirmed, exitForbidden, exitNoAnswer, exitUncertain}; !found || !slices.Equal(said, want) {
		t.Errorf("docs/operations.md has the exit codes %v, the command %v", said, want)
	}
	for kind, code := range exitCodes {
		if !slices.Contains(said, code) {
			t.Errorf("kind %d ends with %d", kind, code)
		}
	}
}

// The process ends with those codes, and not only the function.
func TestKeysExitCodesOfTheProcess(t *testing.T) {
	s := memoryStation(t)
	_, id := s.unknown("alice")
	version := fmt.Sprint(s.record(id).Record.Version)
	decide := []string{"resolve", id, "--did-not-happen", "--reason", "r"}
	at := func(code int, args ...string) {
		t.Helper()
		out, err := command(t, append([]string{"keys"}, args...)...).CombinedOutput()
		if got := exitCode(t, err); got != code {
			t.Errorf("keys %v ends with %d, want %d: %s", args, got, code, out)
		}
	}
	at(0, "list")
	at(exitWrong, "list", "--limit", "0")
	at(exitWrong, "--no-such-flag")
	at(exitWrong, "lists")
	at(exitMissing, "show", strings.Repeat("0", 64))
	at(exitUnconfirmed, decide...)
	at(exitConflict, append(decide, "--yes", "--version", "1")...)
	at(exitNoAnswer, "list", "--admin", "http://"+freeAddress(t))
	s.refuses(http.StatusForbidden, "")
	at(exitForbidden, "list")
	s.before(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
	})
	at(exitUncertain, append(decide, "--yes", "--version", version)...)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer full.Close()
	cmd := command(t, "keys", "show", id)
	cmd.Stdout = full
	if got := exitCode(t, cmd.Run()); got != exitFailed {
		t.Errorf("a full disk ends with %d, want %d", got, exitFailed)
	}
}
