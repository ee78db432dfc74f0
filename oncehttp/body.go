package oncehttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/onceward/onceward"
)

// readBody reads the whole body, so that nothing is claimed for a request that is not there yet. It may use the memory of room.
func (m *middleware) readBody(w http.ResponseWriter, r *http.Request, room []byte) ([]byte, error) {
	if r.ContentLength > m.cfg.MaxBody {
		if r.ProtoMajor < 2 { // the rest is not worth reading; over HTTP/2 the connection is others' too
			w.Header().Set("Connection", "close")
			lingerAfterReply(w)
		}
		return nil, m.tooLarge()
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := readWhole(w, r, room, m.cfg.MaxBody)
	if err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return nil, m.tooLarge()
		}
		return nil, &onceward.Error{Op: "body", Err: errBodyUnreadable, Cause: err, Hint: "the body broke off; nothing was executed by this send; send the same key again"}
	}
	if r.PostForm != nil || r.MultipartForm != nil || r.ContentLength > 0 && len(body) == 0 {
		return nil, &onceward.Error{Op: "body", Err: errBodyConsumed, Hint: "something outside of the middleware has read the body"}
	}
	return body, nil
}

func (m *middleware) tooLarge() error {
	return &onceward.Error{Op: "body", Err: onceward.ErrBodyTooLarge,
		Hint: "this route takes at most " + strconv.FormatInt(m.cfg.MaxBody, 10) + " bytes; nothing was executed by this send"}
}

// lingerAfterReply makes net/http close the connection as it does after a body over MaxBytesReader's limit: first its own half, the rest a while later. With bytes of
// the request unread it would otherwise reset the connection of a client that has itself asked to close it, and the client might never see why.
// Nothing is read: the client may be waiting for a 100. It works on net/http's own writer only.
func lingerAfterReply(w http.ResponseWriter) {
	_, _ = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0).Read(make([]byte, 1)) // its error is that the limit is reached
}

// readWhole reads a body of at most limit bytes. The length that is announced is believed only up to [DefaultMaxBody]: beyond it memory is for bytes
// that have come. A body may be longer than announced if something outside has decompressed it.
func readWhole(w http.ResponseWriter, r *http.Request, room []byte, limit int64) ([]byte, error) {
	if r.ContentLength <= 0 || r.ContentLength > DefaultMaxBody {
		var buf bytes.Buffer
		_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
		return buf.Bytes(), err
	}
	body := room[:0]
	if want := int(r.ContentLength) + 1; cap(body) < want { // one more, so that the end shows without growing
		body = make([]byte, 0, want)
	}
	most := min(int64(cap(body)), min(limit, math.MaxInt64-1)+1)
	body, err := fill(body[:0:most], r.Body)
	switch {
	case int64(len(body)) > limit:
		return nil, &http.MaxBytesError{Limit: limit}
	case whollyRead(err):
		return body, nil
	case err != nil:
		return body, err
	}
	buf := bytes.NewBuffer(body)
	_, err = buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit-int64(len(body))))
	return buf.Bytes(), err
}

// whollyRead reports whether a reader has come to its end: as for io.ReadAll only the bare error says so. One that is wrapped says why it broke off.
func whollyRead(err error) bool { return err == io.EOF } //nolint:errorlint // that is the point

// fill reads until there is no room left in b, or until an error, which may be [io.EOF].
func fill(b []byte, r io.Reader) ([]byte, error) {
	for len(b) < cap(b) {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// readBounded reads at most limit bytes; whole is false if there are more. What the other side claims to send is believed only for a first, small buffer.
func readBounded(r io.Reader, claimed, limit int64) (body []byte, whole bool, err error) {
	limit = min(limit, math.MaxInt64-1) // what follows reads one byte more
	if claimed > 0 {
		body, err = fill(make([]byte, 0, min(claimed, limit, maxBelieved)+1), r) // one more, so that the end shows without growing
		switch {
		case whollyRead(err):
			return body, int64(len(body)) <= limit, nil
		case err != nil || int64(len(body)) > limit:
			return body, false, err
		}
	}
	b := bytes.NewBuffer(body)
	_, err = b.ReadFrom(&io.LimitedReader{R: r, N: limit + 1 - int64(b.Len())})
	return b.Bytes(), err == nil && int64(b.Len()) <= limit, err
}

const maxBelieved = 64 << 10 // bytes of an announced length

// whole is a body that has been read already.
type whole struct{ bytes.Reader }

func newWhole(body []byte) *whole {
	w := &whole{}
	w.Reset(body)
	return w
}

// Close implements [io.Closer].
func (*whole) Close() error { return nil }

// withBody is r with another context and a body of its own.
func withBody(ctx context.Context, r *http.Request, body *whole) *http.Request {
	own := r.WithContext(ctx)
	own.Body = body
	own.ContentLength = body.Size()
	own.TransferEncoding = nil // for handlers that pass the request on
	return own
}
