package sidecar

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/onceward/onceward/oncehttp"
)

// laterError: who calls cannot be found out now. It says nothing against the caller, whose client must not take it for the last word.
type laterError struct {
	cause error
	after time.Duration
}

func (e *laterError) Error() string { return "who calls cannot be found out now: " + e.cause.Error() }
func (e *laterError) Unwrap() error { return e.cause }

// caller is who calls, found out before the middleware asks.
type caller struct {
	name string
	err  error
}

type callerKey struct{}

// knowing finds out who calls. It returns nil after it has answered, where that cannot be found out now; refused hears of it.
type knowing func(http.ResponseWriter, *http.Request) *http.Request

// known finds out who calls before the middleware does, which asks toldWho.
func known(who whoFunc, refused func(*http.Request, error)) knowing {
	return func(w http.ResponseWriter, r *http.Request) *http.Request {
		name, err := who(r)
		var later *laterError
		if errors.As(err, &later) {
			refused(r, err)
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(later.after.Seconds()))))
			w.Header().Set(oncehttp.HeaderOutcome, oncehttp.OutcomeFreed)
			refuse(w, http.StatusServiceUnavailable, "The keys that verify tokens are not at hand. This request was not looked at; send the same key again.")
			return nil
		}
		return r.WithContext(context.WithValue(r.Context(), callerKey{}, &caller{name, err}))
	}
}

// toldWho is what known has found out.
func toldWho(r *http.Request) (string, error) {
	c, ok := r.Context().Value(callerKey{}).(*caller)
	if !ok {
		return "", errNobody
	}
	return c.name, c.err
}
