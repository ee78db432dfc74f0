package sidecar

import (
	"io"
	"net/http"
	"time"

	"github.com/onceward/onceward"
)

// leaving is the way out of a keyed reply while its operation runs. What is too long to keep, and a stream, goes to the client as it comes from the
// upstream; a client that does not read must not hold up the operation until its time is over, which would make a doubt of it.
type leaving struct {
	control  http.ResponseController
	timeout  time.Duration // of the operation
	patience time.Duration // how long writes to the client may still take in all
	whole    bool          // the reply has been read: there is no hurry, and nothing of it leaves before it is saved
}

// patient is the part of an operation's time that a client may take by reading slowly. The rest is the upstream's.
func patient(timeout time.Duration) time.Duration { return timeout / 4 }

// heldBack is a writer through which nothing is flushed that has been read whole.
type heldBack struct {
	http.ResponseWriter
	leaving *leaving
}

// FlushError is for [http.ResponseController].
func (h *heldBack) FlushError() error {
	if h.leaving.whole {
		return nil
	}
	return h.leaving.control.Flush()
}

// paced is a body of which each part is written to the client before the next is read. After the client's time is over the writes fail, nobody
// minds, and the body is read to its end.
type paced struct {
	io.ReadCloser
	leaving *leaving
	handed  time.Time // when the last part was handed on
	end     error
}

// Read returns the end by itself, and not together with a last part that has to be written in time.
func (p *paced) Read(b []byte) (int, error) {
	if !p.handed.IsZero() {
		p.leaving.patience -= time.Since(p.handed)
	}
	p.writeWithin(p.leaving.timeout + onceward.DefaultSaveLimit + readTime) // while the upstream takes its time, and for what is sent after the save
	if p.end != nil {
		return 0, p.end
	}
	n, err := p.ReadCloser.Read(b)
	if n > 0 && err != nil {
		p.end, err = err, nil
	}
	p.handed = time.Now()
	if err == nil {
		p.writeWithin(max(0, p.leaving.patience))
	}
	return n, err
}

func (p *paced) writeWithin(d time.Duration) {
	_ = p.leaving.control.SetWriteDeadline(time.Now().Add(d)) // a writer that cannot has no slow client
}
