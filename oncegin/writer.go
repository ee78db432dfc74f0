package oncegin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
)

// writer makes a gin.ResponseWriter of the writer that captures the reply. As in Gin, a status is final with the first byte or
// with WriteHeaderNow.
type writer struct {
	http.ResponseWriter
	status int
	size   int // -1: nothing written
}

var _ gin.ResponseWriter = (*writer)(nil)

func newWriter(w http.ResponseWriter) *writer {
	return &writer{ResponseWriter: w, status: http.StatusOK, size: -1}
}

// Unwrap is for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sets the status. An informational one is passed on and decides nothing (RFC 9110 §15.2); Gin itself sends none.
func (w *writer) WriteHeader(status int) {
	switch {
	case status >= 100 && status < 200:
		w.ResponseWriter.WriteHeader(status)
	case status > 0 && !w.Written():
		w.status = status
	}
}

// WriteHeaderNow makes the status final.
func (w *writer) WriteHeaderNow() {
	if !w.Written() {
		w.size = 0
		w.ResponseWriter.WriteHeader(w.status)
	}
}

func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeaderNow()
	n, err := w.ResponseWriter.Write(p)
	w.size += n
	return n, err
}

// WriteString is Write.
func (w *writer) WriteString(s string) (int, error) {
	w.WriteHeaderNow()
	n, err := io.WriteString(w.ResponseWriter, s)
	w.size += n
	return n, err
}

// Status is the reply's status so far.
func (w *writer) Status() int { return w.status }

// Size is the length of the body so far, -1 before anything is written.
func (w *writer) Size() int { return w.size }

// Written reports whether the status is final.
func (w *writer) Written() bool { return w.size >= 0 }

// Flush sends what has been written, where the executor allows that; the end of the reply waits until it is saved.
func (w *writer) Flush() {
	w.WriteHeaderNow()
	_ = http.NewResponseController(w.ResponseWriter).Flush() // Gin's Flush cannot say that it is not supported
}

// Hijack is refused: a connection taken over could not be saved.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, fmt.Errorf("oncegin: hijack a request without a key: %w", http.ErrNotSupported)
}

// CloseNotify never fires: a keyed handler goes on when its client hangs up.
func (w *writer) CloseNotify() <-chan bool { return nil }

// Pusher is nil: there is no server push here.
func (w *writer) Pusher() http.Pusher { return nil }
