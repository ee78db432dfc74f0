package onceward

import (
	"context"
	"log/slog"
	"time"
)

// Call is one send of an operation, arriving here.
type Call struct {
	Scope       Scope
	Key         Key
	Fingerprint Fingerprint
	Horizon     time.Duration // for how long after the mint the client may go on retrying, if it said so
	ReadOnly    bool          // the caller leaves the reply's bytes as they are, so that a thousand waiters need not have a copy each
}

// Executor is all that a transport knows of the server half: a [Guard] over a store, or a store's transactor.
type Executor interface {
	// Do carries fn out if the call is its operation's first, and otherwise gives the reply that was saved.
	//
	// A reply, saved, freed or doubted, comes back with a nil error; without one the error is an [*Error].
	// The context's cancellation ends waiting, never a run: fn gets a context of its own that keeps only the values.
	// A panic of fn is settled as a doubt and goes on to the caller. fn is not called any more once Do has returned.
	Do(ctx context.Context, call Call, fn func(ctx context.Context, a Attempt) Outcome) (Result, error)

	// Window is how long a key is remembered after its completion.
	Window() time.Duration
}

// Attempt is one run of the function that was given to [Executor.Do].
type Attempt struct {
	N        int  // from 1; more than 1 when the executor runs the function again within one Do
	Doubted  bool // an earlier owner of the record may have had its effect
	Buffered bool // nothing may leave before Do returns
	MaxReply int  // bytes: a larger reply is not kept
}

// Standing is what a reply is worth.
type Standing uint8

// The standings.
const (
	Saved   Standing = iota + 1 // it is the operation's for ever
	Freed                       // nothing took effect and the key is free
	Doubted                     // it may or may not have taken effect
)

// Result is a reply and its standing.
type Result struct {
	Reply    Reply
	Standing Standing
	Replayed bool // another call's reply
	NotKept  bool // executed and too large to keep: this call is the only one that gets it
}

// LogValue leaves out the principal and redacts the key.
func (c Call) LogValue() slog.Value {
	return slog.GroupValue(slog.String("service", c.Scope.Service), slog.Any("key", c.Key))
}

// LogValue leaves out the reply's content.
func (r Result) LogValue() slog.Value {
	return slog.GroupValue(slog.String("standing", standingNames[r.Standing]), slog.Bool("replayed", r.Replayed), slog.Any("reply", r.Reply))
}
