package adminapi

import (
	"errors"
	"fmt"

	"github.com/onceward/onceward/oncehttp"
)

// Kind says what a failure means for whoever asked.
type Kind int

// The kinds of failures.
const (
	Wrong     Kind = iota + 1 // the question is wrong, or was sent to something else than an admin API: nothing was changed
	Missing                   // nothing is known of this operation
	Conflict                  // the record is not what was looked at, or in no state for this: nothing was changed
	Forbidden                 // the server does not let this caller in: nothing was changed
	NoAnswer                  // the server could not be asked, or could not look: nothing was changed
	Uncertain                 // a decision was sent and its answer is missing: it may have been carried out
)

// Failure is an answer that is none.
type Failure struct {
	Kind   Kind
	Detail string                // one line; may have the server's words
	Record *oncehttp.AdminRecord // Conflict: as it is now, if the server told
	Err    error                 // what lies behind, or nil
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Detail
	}
	return fmt.Sprintf("%s: %v", f.Detail, f.Err)
}

func (f *Failure) Unwrap() error { return f.Err }

// KindOf is the kind of an error; zero if it is no [Failure].
func KindOf(err error) Kind {
	var f *Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return 0
}
