package sidecar

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// upload is the body of a request that is not keyed. It is read by whoever sends it on, who may not have ended when the reply has.
type upload struct {
	io.ReadCloser             // nil: there is none
	bare          bool        // over HTTP/1: what is not read of it stays on the connection
	ended         atomic.Bool // read to its end
	broken        atomic.Bool // it has no end that could be read
}

// Read implements [io.Reader].
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		u.ended.Store(true)
	case err != nil:
		u.broken.Store(true)
	}
	return n, err
}

// comes reports whether there may be more of it on the client's connection. A reply that begins meanwhile says that it ends the connection: net/http then sends
// it at once, and would otherwise read the body to its end before. EnableFullDuplex does that too, but takes what is left of the body for the next
// request: behind a gateway, whose connections many share, another caller's.
func (u *upload) comes() bool { return u.bare && !u.ended.Load() }

// leave is called when the reply has been written. If not all of the body has been read by then, because the upstream had an answer before, the connection is
// closed in net/http's way with bodies that are too large, which does not cut the reply off.
func (u *upload) leave(w http.ResponseWriter) {
	if u.comes() {
		_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1)) // its error is that the limit is reached
	}
}
