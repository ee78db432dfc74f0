package sidecar

import (
	"context"
	"io"
	"net/http"
	"time"
)

// passage is one run of a keyed operation on its way to the upstream and back. What its parts have to know of each other is in one object, which is found by one
// value of the context.
type passage struct {
	verdict verdict
	leaving leaving
	held    heldBack
	body    io.ReaderAt // that the middleware has read; nil: none
}

type passageKey struct{}

// passageOf is nil outside of a keyed run.
func passageOf(ctx context.Context) *passage {
	p, _ := ctx.Value(passageKey{}).(*passage)
	return p
}

// begin is called when the middleware has let the run through.
func (p *passage) begin(w http.ResponseWriter, body io.Reader, timeout time.Duration) {
	p.leaving = leaving{control: *http.NewResponseController(w), timeout: timeout, patience: patient(timeout)}
	p.held = heldBack{w, &p.leaving}
	p.body, _ = body.(io.ReaderAt)
}
