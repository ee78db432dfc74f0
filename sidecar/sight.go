package sidecar

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
)

// watchedConn is a connection to the upstream of which one can prove that nothing has left since a certain moment.
type watchedConn struct {
	net.Conn
	shared bool // HTTP/2 without TLS

	mu     sync.Mutex
	writes int  // that have begun
	sealed bool // nothing more is written
}

var errSealed = errors.New("sidecar: the connection was given up before anything was sent")

// Write counts before it writes: whatever may have left has been counted.
func (c *watchedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.sealed {
		c.mu.Unlock()
		return 0, errSealed
	}
	c.writes++
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *watchedConn) begun() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// seal reports whether nothing was written since begun said so, and sees to it that nothing will be.
func (c *watchedConn) seal(since int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes != since {
		return false
	}
	c.sealed = true
	return true
}

// sight watches one attempt of the transport.
type sight struct {
	mu     sync.Mutex
	got    int // connections
	wrote  bool
	conn   *watchedConn
	since  int
	onConn func()
	hooks  httptrace.ClientTrace
}

func (s *sight) trace() *httptrace.ClientTrace {
	s.hooks = httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.got++
			s.conn = watched(info.Conn)
			if s.conn != nil {
				s.since = s.conn.begun()
			}
			s.onConn()
		},
		WroteHeaders: func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.wrote = true
		},
	}
	return &s.hooks
}

// watched is the connection under a transport's, also under TLS; nil if several requests share it, as HTTP/2 does: to seal it would break the others.
func watched(c net.Conn) *watchedConn {
	if secured, ok := c.(*tls.Conn); ok {
		if secured.ConnectionState().NegotiatedProtocol == "h2" {
			return nil
		}
		c = secured.NetConn()
	}
	w, ok := c.(*watchedConn)
	if !ok || w.shared {
		return nil
	}
	return w
}

// unsent reports whether it is proven that the upstream has seen nothing of the request, now that the transport has given up: there
// was no connection, or the only one has not been written to since this request got it.
func (s *sight) unsent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.got == 0 && !s.wrote:
		return true
	case s.got == 1 && s.conn != nil:
		return s.conn.seal(s.since)
	}
	return false
}

// connected reports whether there was a connection.
func (s *sight) connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got > 0
}
