package oncehttp

import (
	"errors"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// UnknownOutcomeError is the end of a [Client.Send] after which nobody can tell whether the operation has taken effect. It wraps a *[retry.Error]
// and through it everything that [errors.Is] may look for: why the client stopped, and how the last attempt ended.
//
// The way out is to Send the same Operation again within the window, now or after a restart. The same request under a new key
// would be another operation, and might take effect beside this one.
type UnknownOutcomeError struct {
	Operation *Operation      // what to send again; as JSON it can be saved
	Attempts  []retry.Attempt // when, how long, how each ended and how often it went over the wire; the first and the last ones, at most retry.MaxAttemptsKept
	FirstSent time.Time       // by this Send; zero: it made no attempt
	Window    time.Duration   // for how long from the key's mint it may be sent again

	cause *retry.Error
}

// Error says what happened and what to do, in a line, without the key.
func (e *UnknownOutcomeError) Error() string { return e.cause.Error() }

// Unwrap yields the *[retry.Error].
func (e *UnknownOutcomeError) Unwrap() error { return e.cause }

// unknownOutcome gives the operation back to a caller who will need it.
func unknownOutcome(op *Operation, kind retry.Kind, err error) error {
	if err == nil {
		return nil
	}
	var cause *retry.Error
	if kind == retry.Safe || !errors.As(err, &cause) || cause.Fate() != onceward.Unknown {
		return err
	}
	return &UnknownOutcomeError{Operation: op, Attempts: cause.Attempts, FirstSent: cause.FirstSent, Window: cause.Window, cause: cause}
}
