package onceward

import (
	"errors"
	"strings"
	"time"
)

// Refused before the record was read: the request is wrong, and stays wrong.
var (
	ErrKeyMissing   = errors.New("idempotency key missing")
	ErrKeyInvalid   = errors.New("idempotency key invalid")
	ErrScopeEmpty   = errors.New("scope empty")
	ErrScopeInvalid = errors.New("scope invalid")
	ErrBodyTooLarge = errors.New("request body too large")
)

// Refused by the record or the watermark: this call ran nothing.
var (
	ErrHorizonTooLong = errors.New("the client's horizon is longer than the window")
	ErrKeyFromFuture  = errors.New("the key is minted in the future")
	ErrKeyExpired     = errors.New("the key has expired")
	ErrKeyReused      = errors.New("the key belongs to another request")
	ErrInProgress     = errors.New("the operation is still in progress")
	ErrOutcomeUnknown = errors.New("the operation's outcome is unknown")
	ErrNotExecuted    = errors.New("the operation was not executed and will not be")
	ErrReplyNotKept   = errors.New("the operation was executed, its reply was not kept")
	ErrFreed          = errors.New("nothing took effect and the key is free")
)

// The store or this process could not do its part.
var (
	ErrStoreUnavailable = errors.New("the deduplication store is unavailable")
	ErrReplyNotSaved    = errors.New("the reply could not be saved")
	ErrClosed           = errors.New("closed")
	ErrConflict         = errors.New("the record has changed")
)

// Mistakes of the code that uses the package.
var (
	ErrConfig      = errors.New("the configuration is wrong")
	ErrNotStarted  = errors.New("completed without having called Start")
	ErrNoAttempt   = errors.New("the context is not of a guarded attempt")
	ErrStepReused  = errors.New("a step's name was used twice in one run")
	ErrStepInvalid = errors.New("a step's name is empty or too long")
)

// Error is what an [Executor] returns when it gives no reply. It wraps one of the sentinels above and the cause, if any.
type Error struct {
	Op         string        // "claim", "run", "save" …
	Key        Key           // printed redacted
	Err        error         // sentinel
	Cause      error         // nil, or what lies behind
	Hint       string        // what to do now
	RetryAfter time.Duration // > 0: not sooner
	SafeNewKey bool          // no send under this key can have taken effect or will
}

// Error gives operation, redacted key, what happened, cause and hint in a line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("onceward: " + e.Op)
	if !e.Key.IsZero() {
		b.WriteString(" " + e.Key.String())
	}
	b.WriteString(": " + e.Err.Error())
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap yields the sentinel and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

// Fate says what the error means for the operation, as far as this one call could tell.
func (e *Error) Fate() Fate {
	switch {
	case e.SafeNewKey, errors.Is(e.Err, ErrFreed):
		return NotExecuted
	case errors.Is(e.Err, ErrReplyNotKept):
		return Executed
	}
	return Unknown
}
