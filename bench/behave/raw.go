package behave

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// wire is a connection that a case writes and breaks by hand.
type wire struct{ *net.TCPConn }

func (p *Probe) dial() (wire, error) {
	base, err := url.Parse(p.base)
	if err != nil {
		return wire{}, err
	}
	var d net.Dialer
	conn, err := d.DialContext(p.ctx, "tcp", base.Host)
	if err != nil {
		return wire{}, err
	}
	_ = conn.SetDeadline(time.Now().Add(requestLimit)) // a fresh connection has no reason to refuse
	return wire{conn.(*net.TCPConn)}, nil
}

// start sends a request on a connection of its own and reads nothing.
func (p *Probe) start(a ask) (wire, error) {
	text, err := p.bytes(a)
	if err != nil {
		return wire{}, err
	}
	return p.startBytes(text)
}

func (p *Probe) startBytes(text []byte) (wire, error) {
	w, err := p.dial()
	if err != nil {
		return w, err
	}
	if _, err := w.Write(text); err != nil {
		w.Close()
		return w, err
	}
	return w, nil
}

// bytes are what a request looks like on the wire.
func (p *Probe) bytes(a ask) ([]byte, error) {
	req, err := a.request(p.ctx, p.base)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = req.Write(&b)
	return b.Bytes(), err
}

// hangUp ends the connection as a client's crash does: with a reset.
func (w wire) hangUp() {
	_ = w.SetLinger(0) // then Close resets
	w.Close()
}

// withKeyLines sends a request whose key headers are written as they are: net/http would refuse to send some.
func (p *Probe) withKeyLines(a ask, lines ...string) answer {
	a.Key = ""
	text, err := p.bytes(a)
	if err != nil {
		return answer{Err: err}
	}
	var keys bytes.Buffer
	for _, line := range lines {
		fmt.Fprintf(&keys, "Idempotency-Key: %s\r\n", line)
	}
	text = bytes.Replace(text, []byte("\r\n\r\n"), append([]byte("\r\nConnection: close\r\n"), append(keys.Bytes(), '\r', '\n')...), 1)
	w, err := p.startBytes(text)
	if err != nil {
		return answer{Err: err}
	}
	defer w.Close()
	resp, err := http.ReadResponse(bufio.NewReader(w), nil)
	return answerOf(resp, err)
}

// reads reports whether a byte comes within the time.
func (w wire) reads(within time.Duration) bool {
	_ = w.SetReadDeadline(time.Now().Add(within))
	n, _ := io.ReadAtLeast(w, make([]byte, 1), 1)
	return n > 0
}
