package onceward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Do carries out a plain function once per key, for queue consumers, jobs and commands. input is what makes two calls the same request; it
// is fingerprinted by its JSON. The function's result is saved as JSON and returned to every later call.
//
// A nil error saves the result. A [*Rejection] is remembered and returned to later calls too. Any other error is a doubt – nobody
// knows what took effect – unless the function said [NoEffect]: then the key is free.
//
//	receipt, err := onceward.Do(ctx, guard, scope, key, message, func(ctx context.Context) (Receipt, error) {
//		return charge(ctx, message)
//	})
func Do[T any](ctx context.Context, exec Executor, scope Scope, key Key, input any, fn func(context.Context) (T, error)) (T, error) {
	var zero T
	body, err := json.Marshal(input)
	if err != nil {
		return zero, &Error{Op: "do", Key: key, Err: ErrConfig, Cause: err, Hint: "the input must have a JSON form: it tells one request from another"}
	}
	call := Call{Scope: scope, Key: key, Fingerprint: BytesFingerprint("application/json", body)}
	result, err := exec.Do(ctx, call, func(ctx context.Context, _ Attempt) Outcome {
		value, err := fn(ctx)
		return plainOutcome(ctx, value, err)
	})
	if err != nil {
		return zero, err
	}
	return plainResult[T](key, result.Reply)
}

// Rejection is a considered no of a plain function: nothing is to take effect, and this answer is remembered.
type Rejection struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error gives code and message.
func (r *Rejection) Error() string { return r.Code + ": " + r.Message }

// Fate is Executed: the operation has its final answer.
func (r *Rejection) Fate() Fate { return Executed }

// Status of a plain function's saved reply.
const (
	plainOK       = 0
	plainRejected = 1
)

func plainOutcome(ctx context.Context, value any, err error) Outcome {
	var no *Rejection
	switch {
	case err == nil:
		body, err := json.Marshal(value)
		if err != nil { // the effect has happened: keep the record, if not the result
			return SaveNotKept(Reply{})
		}
		return Save(Reply{Status: plainOK, Body: body})
	case errors.As(err, &no):
		body, _ := json.Marshal(no) // two strings: cannot fail
		return Reject(Reply{Status: plainRejected, Body: body})
	}
	if r, rerr := runOf(ctx); rerr == nil && r.NoEffect() {
		return FreeError(err)
	}
	return DoubtError(err)
}

func plainResult[T any](key Key, reply Reply) (T, error) {
	var value T
	if reply.Status == plainRejected {
		no := new(Rejection)
		if err := json.Unmarshal(reply.Body, no); err != nil {
			return value, unreadable(key, err)
		}
		return value, no
	}
	if err := json.Unmarshal(reply.Body, &value); err != nil {
		return value, unreadable(key, err)
	}
	return value, nil
}

func unreadable(key Key, err error) error {
	return &Error{Op: "do", Key: key, Err: ErrReplyNotKept, Cause: fmt.Errorf("the saved result is not of this type: %w", err)}
}
