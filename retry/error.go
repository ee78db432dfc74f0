package retry

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/onceward/onceward"
)

// Why the loop stopped although another attempt could have helped.
var (
	ErrAttemptsSpent = errors.New("retry: all attempts are spent")
	ErrBudgetSpent   = errors.New("retry: the retry budget of this host is spent")
	ErrRetryAfter    = errors.New("retry: the server asks for a longer pause than the policy allows")
	ErrDeadline      = errors.New("retry: the caller's deadline comes before the next attempt")
	ErrHorizon       = errors.New("retry: the policy's horizon comes before the next attempt")
	ErrWindow        = errors.New("retry: the window in which the server knows the key would be over")
	ErrNotRepeatable = errors.New("retry: without a key only what certainly was not sent is sent again")
)

// Attempt is one attempt, as an [Error] and an observer tell it.
type Attempt struct {
	Number int           // from 1, polls included
	Start  time.Time     // wall clock
	Took   time.Duration // until the end of the reply
	End    End
	Sends  int // how often the request left this side
	Err    error
	Next   Next          // what the table says
	Wait   time.Duration // before the next attempt; zero: there was none
}

// Error is what a loop ends with when it has no answer to give. It wraps the reason for stopping, the sentinel of the
// last attempt's end and that attempt's own error; those of the earlier ones stand in Attempts.
type Error struct {
	Key       onceward.Key  // printed redacted; zero: without a key
	Host      string        // where it was sent
	Attempts  []Attempt     // the first and the last; at most MaxAttemptsKept
	Count     int           // all attempts
	FirstSent time.Time     // start of the first attempt; zero: none was made
	Age       time.Duration // of the key, at the end
	Window    time.Duration // for how long from the mint the key may be sent again
	Hint      string        // what to do now
	Stop      error         // one of the sentinels, or the context's error; nil: the last attempt was final
	fate      onceward.Fate
	causes    []error
}

// MaxAttemptsKept bounds Error.Attempts; a long poll has more.
const MaxAttemptsKept = 32

// Fate says what is known of the operation.
func (e *Error) Fate() onceward.Fate { return e.fate }

// Unwrap yields the reason for stopping and the last attempt's errors.
func (e *Error) Unwrap() []error {
	if e.Stop == nil {
		return e.causes
	}
	return append([]error{e.Stop}, e.causes...)
}

// Error tells fate, attempts, reasons and hint in a line, without the key.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("onceward: ")
	if !e.Key.IsZero() {
		b.WriteString(e.Key.String() + " ")
	}
	fmt.Fprintf(&b, "is %s after %d attempts", e.fate, e.Count)
	if n := len(e.Attempts); n > 0 {
		fmt.Fprintf(&b, ", the last ended %s", e.Attempts[n-1].End)
	}
	for _, err := range e.Unwrap() {
		b.WriteString(": " + err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// hintFor says what to do now. Only the record's word makes a new key safe: a network may hold a copy of a send that was refused.
func hintFor(fate onceward.Fate, left time.Duration, kind Kind, refuted bool) string {
	switch {
	case kind == Safe:
		return "its method has no effect; it may be sent again at any time"
	case fate == onceward.NotExecuted && refuted:
		return "it was not executed and will not be; it may be sent under a new key"
	case fate == onceward.NotExecuted:
		return "nothing took effect; the same operation may be sent again"
	case fate == onceward.Executed:
		return "it took effect; look the result up, do not send it under a new key"
	case kind == Unkeyed:
		return "it may have taken effect, and it has no key; look before sending it again"
	case left <= 0:
		return "it may have taken effect, and the server may have forgotten its key; look before sending it again"
	}
	return fmt.Sprintf("it may have taken effect; send the same operation again within %v, never under a new key", left.Truncate(time.Second))
}

// Refused is the error for an operation that was never sent because of err: its fate is NotExecuted.
func Refused(key onceward.Key, err error, hint string) *Error {
	return &Error{Key: key, Hint: hint, fate: onceward.NotExecuted, causes: []error{err}}
}
