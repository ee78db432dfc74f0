package sidecar

import (
	"net/http"
	"time"
)

// timedBody bounds how long a client may take over its body. When that has come, the connection is as free as before.
type timedBody struct {
	reading
	control http.ResponseController
	done    bool
}

func bounded(w http.ResponseWriter, r *http.Request, until time.Time, spent *timer) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	b := &timedBody{reading: reading{r.Body, spent}, control: *http.NewResponseController(w)}
	if b.control.SetReadDeadline(until) != nil {
		return r
	}
	r.Body = b // r is the caller's own copy
	return r
}

// Read implements [io.Reader].
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.reading.Read(p)
	if err != nil && !b.done {
		b.done = true
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
