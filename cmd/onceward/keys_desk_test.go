package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/oncehttp"
)

// keys runs a command line of "onceward keys", where nobody sits at a terminal.
func keys(t *testing.T, args ...string) output {
	t.Helper()
	return execute(t, append([]string{"keys"}, args...)...)
}

// ends fails unless the command ended with that code and said the texts in its error.
func (o output) ends(t *testing.T, code int, texts ...string) output {
	t.Helper()
	if got := exitStatus(o.err); got != code {
		t.Errorf("exit code %d, want %d: %v\n%s%s", got, code, o.err, o.out, o.notes)
	}
	if len(texts) > 0 {
		o.refused(t, texts...)
	}
	return o
}

// record is what `keys show -o json` says.
func (s *station) record(id string) oncehttp.AdminShowing {
	s.t.Helper()
	var shown oncehttp.AdminShowing
	o := keys(s.t, "show", id, "--actor", "looks", "-o", "json").ends(s.t, 0)
	if err := json.Unmarshal([]byte(o.out), &shown); err != nil {
		s.t.Fatalf("%v: %s", err, o.out)
	}
	return shown
}

// at is the flags with which a script decides about the record as it is.
func (s *station) at(id string) []string {
	s.t.Helper()
	return []string{"--yes", "--version", fmt.Sprint(s.record(id).Record.Version), "--reason", reason, "--actor", olga}
}

// untouched fails if something was decided about the operation.
func (s *station) untouched(id, state string) {
	s.t.Helper()
	if shown := s.record(id); shown.Record.State != state || len(shown.Trail) > 0 {
		s.t.Errorf("the record is %s, with the trail %v; want it %s and untouched", shown.Record.State, shown.Trail, state)
	}
}

// steady is randomness that is the same in every run.
func steady() io.Reader { return rand.NewChaCha8([32]byte{1}) }

// tick is a clock that only the test moves.
type tick struct{ ms atomic.Int64 }

func newTick(at time.Time) *tick {
	c := new(tick)
	c.ms.Store(at.UnixMilli())
	return c
}

func (c *tick) now() time.Time       { return time.UnixMilli(c.ms.Load()) }
func (c *tick) pass(d time.Duration) { c.ms.Add(d.Milliseconds()) }

func file(t *testing.T, content string) string {
	t.Helper()
	path := t.TempDir() + "/reply.json"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

func decode[T any](t *testing.T, text string) (out T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}
