package faults

import (
	"bytes"
	"io"
	"net/http"
)

// held is a request's body that has been read whole.
type held struct {
	io.Reader
	bytes []byte
}

func (held) Close() error { return nil }

// hold reads at most limit bytes of r's body and returns a request that can still be delivered whole. It says false when there were
// more, or when the client did not send them all; the upstream then meets the rest, or the client's error, itself.
func hold(r *http.Request, limit int) (*http.Request, bool) {
	out := r.WithContext(r.Context()) // a shallow copy: the server keeps its own body in r
	if r.Body == nil || r.Body == http.NoBody {
		return out, true
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	if err != nil || len(data) > limit {
		out.Body = &rest{Reader: io.MultiReader(bytes.NewReader(data), r.Body), Closer: r.Body}
		return out, false
	}
	out.Body = held{bytes.NewReader(data), data}
	out.Trailer = r.Trailer // known only now
	return out, true
}

// rest is a body of which a part has been read already.
type rest struct {
	io.Reader
	io.Closer
}

// again returns a second request with the same held body, for a copy.
func again(r *http.Request) *http.Request {
	out := r.Clone(r.Context())
	if body, ok := r.Body.(held); ok {
		out.Body = held{bytes.NewReader(body.bytes), body.bytes}
	}
	return out
}
