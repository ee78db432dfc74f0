package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"
)

type tlsConfig = tls.Config

// connections counts them: the driver makes a missing one while it carries out a command, and then does not look at the command's context.
type connections struct {
	made, open, most atomic.Int64 // made: those over which a server has said something other than an error
}

// whole says that none is missing of those that were there.
func (c *connections) whole() bool { return c.open.Load() >= c.most.Load() }

func (c *connections) dial(ctx context.Context, address string, d *net.Dialer, secure *tlsConfig) (conn net.Conn, err error) {
	if secure == nil {
		conn, err = d.DialContext(ctx, "tcp", address)
	} else {
		conn, err = (&tls.Dialer{NetDialer: d, Config: secure}).DialContext(ctx, "tcp", address)
	}
	return conn, err
}

// watch counts a connection in, and out when it breaks.
func (c *connections) watch(conn net.Conn) net.Conn {
	n := c.open.Add(1)
	for {
		most := c.most.Load()
		if n <= most || c.most.CompareAndSwap(most, n) {
			break
		}
	}
	return &counted{Conn: conn, answers: sync.OnceFunc(func() { c.made.Add(1) }), gone: sync.OnceFunc(func() { c.open.Add(-1) })}
}

type counted struct {
	net.Conn
	answers, gone func()
}

// Read is the connection's.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.gone()
	}
	if n > 0 && b[0] != '-' {
		c.answers() // one that hangs, or lets nobody in, is not worth a look, for which all would wait
	}
	return n, err
}

// Close is the connection's.
func (c *counted) Close() error {
	c.gone()
	return c.Conn.Close()
}

// bounded calls the driver, and gives it up when ctx ends also where the driver would not: while a connection is missing. What is given up may still
// be carried out, as after any lost answer.
func (s *Store) bounded(ctx context.Context, call func() []rueidis.RedisResult) []rueidis.RedisResult {
	if s.connections.whole() {
		return call()
	}
	done := make(chan []rueidis.RedisResult, 1)
	go func() { done <- call() }()
	select {
	case got := <-done:
		return got
	case <-ctx.Done():
		return nil
	}
}
