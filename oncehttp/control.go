package oncehttp

import (
	"net/http"
	"time"
)

// What an [http.ResponseController] can do for a keyed handler beside flushing. Hijacking is what it cannot.

// SetReadDeadline is about the connection: the body has been read.
func (c *capture) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(c.out).SetReadDeadline(t)
}

// SetWriteDeadline bounds what the client gets, not what is kept.
func (c *capture) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(c.out).SetWriteDeadline(t)
}

// EnableFullDuplex has nothing to do: with the body read, reading and writing never wait for each other.
func (c *capture) EnableFullDuplex() error { return nil }
