package oncehttp

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/onceward/onceward"
)

// AdminProblem is the body of a refusal of [Admin]. Its type is about:blank: the status says it all (RFC 9457 §4.2.1).
type AdminProblem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail,omitempty"`
	Record *AdminRecord `json:"record,omitempty"` // 409: the record as it is now
}

// adminError is a refusal on its way to the caller.
type adminError struct {
	status int
	detail string
	record *AdminRecord
}

func (e *adminError) Error() string { return e.detail }

func badRequest(detail string) error {
	return &adminError{status: http.StatusBadRequest, detail: detail}
}

// adminProblem finds the status of an error. Callers are authorised, so they are told what is wrong with their request; what a store says of itself
// stays with us.
func adminProblem(err error) *adminError {
	var refused *adminError
	var e *onceward.Error
	switch {
	case errors.As(err, &refused):
		return refused
	case !errors.As(err, &e):
		return &adminError{status: http.StatusInternalServerError}
	}
	out := &adminError{detail: e.Hint}
	switch {
	case errors.Is(err, onceward.ErrConflict), errors.Is(err, onceward.ErrKeyExpired), errors.Is(err, onceward.ErrKeyFromFuture):
		out.status = http.StatusConflict
	case errors.Is(err, onceward.ErrStoreUnavailable):
		out.status = http.StatusServiceUnavailable
	case errors.Is(err, onceward.ErrConfig), errors.Is(err, onceward.ErrKeyMissing), errors.Is(err, onceward.ErrKeyInvalid),
		errors.Is(err, onceward.ErrScopeEmpty), errors.Is(err, onceward.ErrScopeInvalid):
		out.status = http.StatusBadRequest
		if e.Cause != nil {
			out.detail = e.Cause.Error()
		}
	default:
		return &adminError{status: http.StatusInternalServerError}
	}
	return out
}

// writeAdmin answers with body, or with the problem that it is.
func writeAdmin(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if e, ok := body.(*adminError); ok {
		status = e.status
		h.Set("Content-Type", ProblemType)
		body = AdminProblem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.detail, Record: e.record}
	}
	encoded, err := json.Marshal(body)
	if err != nil { // nothing in these types can fail
		panic(err)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(encoded)))
	w.WriteHeader(status)
	_, _ = w.Write(encoded) // the caller may be gone; the decision stands in the trail
}
