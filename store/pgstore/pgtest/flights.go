package pgtest

import (
	"context"
	"net"
	"sync/atomic"
)

// Flights counts round trips: how often a client began to write after it had read an answer. Its Dial goes into
// pgconn.Config.DialFunc, before anything connects.
type Flights struct{ n atomic.Int64 }

// Dial connects like a net.Dialer, and counts.
func (f *Flights) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &counted{Conn: conn, flights: f}, nil
}

// Count is how many there were so far, over all connections.
func (f *Flights) Count() int { return int(f.n.Load()) }

type counted struct {
	net.Conn
	flights *Flights
	writing atomic.Bool
}

func (c *counted) Write(b []byte) (int, error) {
	if !c.writing.Swap(true) {
		c.flights.n.Add(1)
	}
	return c.Conn.Write(b)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.writing.Store(false)
	}
	return n, err
}
