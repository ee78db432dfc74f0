package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// network carries what connections write. It delays and loses it, cuts connections, and keeps copies of whole requests,
// which it delivers later, to whichever server it likes, over connections of its own.
type network struct {
	w      *world
	mu     sync.Mutex
	dials  map[string]int
	copies map[string]int // of an operation's requests, by its name
}

func newNetwork(w *world) *network {
	return &network{w: w, dials: map[string]int{}, copies: map[string]int{}}
}

// dialer is the DialContext of a client.
func (n *network) dialer(client string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		n.mu.Lock()
		label := fmt.Sprintf("%s/%d", client, n.dials[client])
		n.dials[client]++
		n.mu.Unlock()
		r := n.w.roll("dial " + label)
		slot := r.IntN(servers)
		made := make(chan *conn, 1)
		n.w.after(1, "dial "+label, func() { made <- n.connect(label, slot, n.w.unlucky(r, 0.03)) })
		select {
		case c := <-made:
			if c != nil {
				return c, nil
			}
			n.w.saw("network: connection refused")
			return nil, &net.OpError{Op: "dial", Net: "memory", Err: errors.New("connection refused")}
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: "memory", Err: ctx.Err()}
		}
	}
}

// connect opens a connection to the server in slot, or returns nil if there is none.
func (n *network) connect(label string, slot int, refuse bool) *conn {
	p := n.w.fleet.in(slot)
	if refuse || p.stopped() {
		return nil
	}
	client, server := newConn(n, label, p)
	p.accept(server)
	return client
}

// The fates of a segment, per mille.
var fates = []option{
	{"lost", 40},           // and everything after it on this connection
	{"reset", 25},          // the connection dies before it arrives
	{"cut", 15},            // half of it arrives
	{"arrives, reset", 30}, // the connection dies right after it has arrived
}

// send is called with what c writes; nil is the end of the stream.
func (n *network) send(c *conn, data []byte) {
	p := c.owner
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent || p != nil && p.isDead() {
		return
	}
	c.writes++
	label := fmt.Sprint("segment ", c.label, c.writes)
	r := n.w.roll(label)
	s := segment{data: data}
	beats := n.delay(r)
	if data != nil && !c.sink {
		s.fate = n.fate(c, r)
	}
	if p == nil && data != nil {
		c.asked = append(c.asked, data...)
		s.asked = bytes.Clone(c.asked)
	}
	at := n.w.now() + time.Duration(beats-1)*beat
	if p != nil {
		at = max(at, p.awake())
	}
	c.last = max(c.last, at)
	c.under = append(c.under, s)
	n.w.at(c.last, label, func() { n.deliver(c, label) })
}

func (n *network) fate(c *conn, r *rand.Rand) string {
	fate := weighted(r, fates)
	if fate == "" || !n.w.unlucky(r, n.w.weather) {
		return ""
	}
	what := "request"
	if c.owner != nil {
		what = "reply"
	}
	n.w.saw("network: " + what + " " + fate)
	if fate == "lost" {
		c.silent = true
	}
	return fate
}

// delay draws how many beats a segment takes; some take longer than their sender waits.
func (n *network) delay(r *rand.Rand) int {
	switch x := r.Float64(); {
	case !n.w.stormy() || x < 0.75:
		return 1
	case x < 0.97:
		return 1 + r.IntN(8)
	}
	n.w.saw("network: late")
	return 30 + r.IntN(120)
}

// deliver takes the next segment of c to the other end.
func (n *network) deliver(c *conn, label string) {
	to := c.other
	if p := to.owner; p != nil && !p.isDead() && p.awake() > n.w.now() {
		n.w.at(p.awake(), label, func() { n.deliver(c, label) })
		return
	}
	c.mu.Lock()
	s := c.under[0]
	c.under = c.under[1:]
	c.mu.Unlock()
	if s.data == nil {
		to.arrives(nil, io.EOF)
		return
	}
	switch s.fate {
	case "lost":
		n.copy(c, s, label)
		return
	case "reset":
		c.reset()
		return
	case "cut":
		to.arrives(s.data[:len(s.data)/2], errReset)
		c.arrives(nil, errReset)
		return
	}
	to.arrives(s.data, nil)
	if c.owner != nil {
		to.answered(s.data)
	}
	n.copy(c, s, label)
	if s.fate != "" {
		c.reset()
	}
}

// reset ends both directions at once.
func (c *conn) reset() {
	c.arrives(nil, errReset)
	c.other.arrives(nil, errReset)
}

// answered notes that the client's end has been answered: what it asks next is another request.
func (c *conn) answered(reply []byte) {
	c.mu.Lock()
	asked := c.asked
	c.asked = nil
	c.mu.Unlock()
	if c.sink {
		c.network.w.saw("network: copy answered")
		c.network.w.overheard(c.label, asked, reply, c.began)
	}
}

// copy may keep a request and deliver it again: soon, or when the window is over.
func (n *network) copy(c *conn, s segment, label string) {
	if c.owner != nil || c.sink || !bytes.HasPrefix(s.asked, []byte("POST ")) {
		return
	}
	label = "copy " + label
	r := n.w.roll(label)
	if !n.w.unlucky(r, n.w.copying) {
		return
	}
	n.mu.Lock()
	n.copies[operationIn(s.asked)]++
	n.mu.Unlock()
	for range 1 + r.IntN(2) {
		at := n.w.now() + time.Duration(r.IntN(60))*beat
		if r.IntN(3) == 0 {
			at = n.w.copiesFrom + between(r, 0, copiesTake)
			n.w.saw("network: copy held for longer than the window")
		}
		slot, leave := r.IntN(servers), 1+r.IntN(60)
		again := fmt.Sprint(label, " ", slot, leave)
		n.w.at(at, again, func() { n.again(again, slot, leave, s.asked) })
	}
}

// again delivers a copy of a request over a connection of its own, whose reply nobody reads.
func (n *network) again(label string, slot, leave int, request []byte) {
	c := n.connect(label, slot, false)
	if c == nil {
		return
	}
	n.w.saw("network: copy delivered")
	n.w.note(operationIn(request), "the network delivers a copy to server %d", slot)
	c.sink, c.began = true, n.w.tick()
	_, _ = c.Write(request)
	n.w.after(leave, "leave "+label, func() { c.Close() })
}

// copied says whether there is, or was, a copy of one of the operation's requests.
func (n *network) copied(operation string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.copies[operation] > 0
}

// operationIn finds the name of the operation in the bytes of a request.
func operationIn(request []byte) string {
	field := func(name string) string {
		_, rest, _ := bytes.Cut(request, []byte("\r\n"+name+": "))
		value, _, _ := bytes.Cut(rest, []byte("\r\n"))
		return string(value)
	}
	return name(field("Principal"), field("Idempotency-Key"))
}
