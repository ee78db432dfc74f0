package storetest

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
)

// Failure is a case that a store did not pass.
type Failure struct {
	Case     Case
	Messages []string
}

// Failures runs those of the cases that pick accepts (nil: all) and returns the failed ones, without failing t.
// That is how wrong stores are shown to be caught.
func Failures(t testing.TB, h Harness, pick func(Case) bool) []Failure {
	t.Helper()
	h.validate(t)
	var failed []Failure
	for _, c := range Cases() {
		if pick != nil && !pick(c) {
			continue
		}
		r := &recorder{TB: t, name: c.Name}
		r.run(func() { c.Run(r, h) })
		if r.Failed() {
			failed = append(failed, Failure{c, r.messages})
		}
	}
	return failed
}

// recorder is a testing.TB that remembers failures instead of passing them on.
// The embedded TB lends what is not overridden, and the method that keeps others from implementing testing.TB.
type recorder struct {
	testing.TB
	name     string
	mu       sync.Mutex
	failed   bool
	messages []string
	cleanups []func()
}

// run runs f in a goroutine of its own, which FailNow can end.
func (r *recorder) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.cleanup()
		defer r.catch()
		f()
	}()
	<-done
}

func (r *recorder) catch() {
	if p := recover(); p != nil {
		r.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

func (r *recorder) cleanup() {
	defer r.catch()
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
}

func (r *recorder) note(fail bool, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = r.failed || fail
	if fail && message != "" {
		r.messages = append(r.messages, message)
	}
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) Name() string                   { return r.name }
func (r *recorder) Helper()                        {}
func (r *recorder) Cleanup(f func())               { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Log(args ...any)                {}
func (r *recorder) Logf(format string, a ...any)   {}
func (r *recorder) Fail()                          { r.note(true, "") }
func (r *recorder) Error(args ...any)              { r.note(true, fmt.Sprintln(args...)) }
func (r *recorder) Errorf(format string, a ...any) { r.note(true, fmt.Sprintf(format, a...)) }
func (r *recorder) FailNow()                       { r.Fail(); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)              { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, a ...any) { r.Errorf(format, a...); runtime.Goexit() }
func (r *recorder) SkipNow()                       { r.Fatal("a case of the suite must not be skipped") }
func (r *recorder) Skip(args ...any)               { r.SkipNow() }
func (r *recorder) Skipf(format string, a ...any)  { r.SkipNow() }
