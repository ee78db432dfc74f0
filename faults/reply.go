package faults

import (
	"net/http"
)

// reply is an http.ResponseWriter that keeps the first bytes of a reply and sends none. With limit zero it is where lost
// replies go. Interim replies (1xx) are dropped.
type reply struct {
	header  http.Header
	sent    http.Header // header as it was when the status was written; nil before
	status  int
	body    []byte // at most limit bytes
	limit   int
	size    int  // of the whole body
	flushed bool // so its length was not known when its header went out
}

// newReply starts from the headers that w has, because middleware outside of the network may have set some.
func newReply(w http.ResponseWriter, limit int) *reply {
	return &reply{header: w.Header().Clone(), limit: limit}
}

func (p *reply) Header() http.Header { return p.header }

func (p *reply) WriteHeader(status int) {
	if p.sent != nil || (status >= 100 && status < 200 && status != http.StatusSwitchingProtocols) {
		return
	}
	p.status, p.sent = status, p.header.Clone()
}

func (p *reply) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	p.size += len(b)
	p.body = append(p.body, b[:min(len(b), p.limit-len(p.body))]...)
	return len(b), nil
}

func (p *reply) Flush() {
	p.WriteHeader(http.StatusOK)
	p.flushed = true
}

// hasBody reports whether a reply of this status to this method carries a body (RFC 9110 §6.4.1).
func (p *reply) hasBody(method string) bool {
	return method != http.MethodHead && p.status != http.StatusNoContent && p.status != http.StatusNotModified &&
		p.status != http.StatusSwitchingProtocols
}
