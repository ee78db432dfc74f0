package oncehttp

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/onceward/onceward"
)

// ProblemBase is what the name of a problem is appended to for its type (RFC 9457 §3.1.1): a section of docs/problems.md.
const ProblemBase = "https://github.com/onceward/onceward/blob/main/docs/problems.md#"

// ProblemType is the media type of a refusal (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is the body of a refusal.
type Problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail,omitempty"`
	SafeNewKey bool   `json:"safe_new_key"` // no send under this key can have taken effect or will
}

// problemKind is a row of the table of problems: the only place where errors meet HTTP.
type problemKind struct {
	name   string
	err    error
	status int
}

// problems has every sentinel that a call can end with. A reader finds each name as a section of docs/problems.md.
var problems = [...]problemKind{
	{"key-missing", onceward.ErrKeyMissing, http.StatusBadRequest},
	{"key-invalid", onceward.ErrKeyInvalid, http.StatusBadRequest},
	{"key-from-the-future", onceward.ErrKeyFromFuture, http.StatusBadRequest},
	{"horizon-too-long", onceward.ErrHorizonTooLong, http.StatusBadRequest},
	{"scope-missing", onceward.ErrScopeEmpty, http.StatusForbidden},
	{"scope-missing", onceward.ErrScopeInvalid, http.StatusForbidden},
	{"body-too-large", onceward.ErrBodyTooLarge, http.StatusRequestEntityTooLarge},
	{"body-unreadable", errBodyUnreadable, http.StatusBadRequest},
	{"key-reused", onceward.ErrKeyReused, http.StatusUnprocessableEntity},
	{"in-progress", onceward.ErrInProgress, http.StatusConflict},
	{"outcome-unknown", onceward.ErrOutcomeUnknown, http.StatusConflict},
	{"not-executed", onceward.ErrNotExecuted, http.StatusConflict},
	{"reply-not-kept", onceward.ErrReplyNotKept, http.StatusConflict},
	{"key-expired", onceward.ErrKeyExpired, http.StatusGone},
	{"reply-not-saved", onceward.ErrReplyNotSaved, http.StatusServiceUnavailable},
	{"store-unavailable", onceward.ErrStoreUnavailable, http.StatusServiceUnavailable},
	{"store-unavailable", onceward.ErrClosed, http.StatusServiceUnavailable},
}

// errBodyUnreadable: the request's body broke off before any claim was made.
var errBodyUnreadable = errors.New("the request's body could not be read")

var errBodyConsumed = errors.New("the request's body was read before the middleware")

// internalProblem is for an error that is in no row: a mistake of ours or of the handler's code, never the client's.
var internalProblem = problemKind{name: "internal", status: http.StatusInternalServerError}

// kindOf finds the row of an error.
func kindOf(err error) problemKind {
	var e *onceward.Error
	if errors.As(err, &e) { // its own word counts, not what lies behind it
		err = e.Err
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return p
		}
	}
	return internalProblem
}

// problemOf describes err for a client. The cause of the error stays with us: it may name hosts, tables or other people's data.
func problemOf(err error) (Problem, time.Duration) {
	kind := kindOf(err)
	p := Problem{Type: ProblemBase + kind.name, Title: http.StatusText(kind.status), Status: kind.status}
	if kind.err != nil {
		p.Title = kind.err.Error()
	}
	var e *onceward.Error
	if !errors.As(err, &e) {
		return p, 0
	}
	p.Detail, p.SafeNewKey = e.Hint, e.SafeNewKey
	return p, e.RetryAfter
}

// writeProblem answers with the problem that err is.
func writeProblem(w http.ResponseWriter, err error) {
	p, retryAfter := problemOf(err)
	body, _ := json.Marshal(p) // strings, a number and a bool: cannot fail
	h := w.Header()
	h.Set("Content-Type", ProblemType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if retryAfter > 0 {
		// Whole seconds, rounded up (RFC 9110 §10.2.3).
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(retryAfter.Seconds()))))
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the client may be gone; there is nothing to save here
}
