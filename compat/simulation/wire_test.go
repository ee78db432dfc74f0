package simulation

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is one end of a connection in memory. A write never waits: the network carries it to the other end.
type conn struct {
	network *network
	label   string
	owner   *process // nil: a client's end, or the network's own
	other   *conn

	mu       sync.Mutex
	changed  *sync.Cond
	in       []byte // has arrived and was not read
	err      error  // what a read gets once in is empty
	closed   bool
	deadline time.Time
	alarm    *time.Timer

	writes int
	under  []segment     // on its way to the other end, in order
	last   time.Duration // when the last of them arrives
	silent bool          // nothing of what this end writes arrives any more
	asked  []byte        // what this end has written since the other end's last answer
	sink   bool          // the network's own end of a copy: nobody reads here
	began  int64         // of a sink
}

// segment is what was written at once; one without data is the end of the stream.
type segment struct {
	data  []byte
	fate  string // what the network does to it
	asked []byte
}

var errReset = errors.New("connection reset by peer")

func newConn(n *network, label string, owner *process) (client, server *conn) {
	client, server = &conn{network: n, label: label + ">"}, &conn{network: n, label: label + "<", owner: owner}
	client.other, server.other = server, client
	client.changed, server.changed = sync.NewCond(&client.mu), sync.NewCond(&server.mu)
	return client, server
}

func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case !c.deadline.IsZero() && !time.Now().Before(c.deadline):
			return 0, os.ErrDeadlineExceeded
		case len(c.in) > 0:
			n := copy(p, c.in)
			c.in = c.in[n:]
			return n, nil
		case c.err != nil:
			return 0, c.err
		}
		c.changed.Wait()
	}
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	closed, err := c.closed, c.err
	c.mu.Unlock()
	switch {
	case closed:
		return 0, net.ErrClosed
	case err != nil && !errors.Is(err, io.EOF):
		return 0, &net.OpError{Op: "write", Net: "memory", Err: err}
	}
	c.network.send(c, append([]byte(nil), p...))
	return len(p), nil
}

func (c *conn) Close() error {
	c.mu.Lock()
	was := c.closed
	c.closed = true
	if c.alarm != nil {
		c.alarm.Stop()
	}
	c.changed.Broadcast()
	c.mu.Unlock()
	if !was {
		c.network.send(c, nil)
	}
	return nil
}

// arrives gives this end data, or the end of what it can read.
func (c *conn) arrives(data []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.in = append(c.in, data...)
		c.err = err
	}
	c.changed.Broadcast()
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.alarm != nil {
		c.alarm.Stop()
	}
	c.deadline = t
	if left := time.Until(t); !t.IsZero() && left > 0 {
		c.alarm = time.AfterFunc(left, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.changed.Broadcast()
		})
	}
	c.changed.Broadcast()
	return nil
}

func (c *conn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(time.Time) error { return nil } // a write never waits
func (c *conn) LocalAddr() net.Addr              { return address(c.label) }
func (c *conn) RemoteAddr() net.Addr             { return address(c.other.label) }

type address string

func (a address) Network() string { return "memory" }
func (a address) String() string  { return string(a) }

// listener is where a server's connections come in.
type listener struct {
	in   chan net.Conn
	shut chan struct{}
	once sync.Once
}

func newListener() *listener {
	return &listener{in: make(chan net.Conn, 1000), shut: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.shut:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.shut) })
	return nil
}

func (l *listener) Addr() net.Addr { return address("server") }
