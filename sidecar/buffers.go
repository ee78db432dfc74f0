package sidecar

import (
	"bytes"
	"errors"
	"sync"
)

// buffers keeps the buffers in which replies are copied.
type buffers struct{ pool sync.Pool }

const copyBuffer = 32 << 10 // bytes

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[copyBuffer]byte); ok {
		return p[:]
	}
	return make([]byte, copyBuffer)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[copyBuffer]byte)(p)) }

// replies keeps the memory into which replies are read whole, for the next ones.
type replies struct{ pool sync.Pool }

const maxPooledReply = 64 << 10 // bytes: a longer buffer is not kept for the next reply

// get returns an empty reply with room for so many bytes.
func (r *replies) get(length int64) *wholeReply {
	buf, ok := r.pool.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	if length > 0 {
		buf.Grow(int(length) + bytes.MinRead)
	}
	return &wholeReply{buf, r}
}

// wholeReply is the body of a reply that has been read whole. Whoever reads it copies what is kept, so that its memory is free when it is closed. It is
// never used again itself: a second Close must not give back what is another's by then.
type wholeReply struct {
	buf  *bytes.Buffer // nil: closed
	from *replies
}

var errReplyClosed = errors.New("sidecar: the reply has been closed")

// Read implements [io.Reader].
func (w *wholeReply) Read(p []byte) (int, error) {
	if w.buf == nil {
		return 0, errReplyClosed
	}
	return w.buf.Read(p)
}

// Close gives the memory back.
func (w *wholeReply) Close() error {
	if w.buf != nil && w.buf.Cap() <= maxPooledReply {
		w.buf.Reset()
		w.from.pool.Put(w.buf)
	}
	w.buf = nil
	return nil
}
