package oncehttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/onceward/onceward"
)

// Middleware returns a wrapper that guards handlers with exec: each keyed request takes effect once, and gets the same reply each
// time. Put authentication, rate limits, CORS, compression and a recoverer outside of it.
//
// The handler sees a context that keeps the values and not the client's cancellation, and a body that has been read already. Its reply is
// sent after it is saved; if it flushes, bytes go out while they are captured, and the end of the reply waits until it is saved. A client that
// hangs up is never noticed by the handler. One that stops reading in the middle of a stream holds it up: set http.Server.WriteTimeout.
func Middleware(exec onceward.Executor, scope ScopeFunc, cfg Config) (func(http.Handler) http.Handler, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if exec == nil || scope == nil {
		return nil, &onceward.Error{Op: "middleware", Err: onceward.ErrConfig, Hint: "an executor and a scope are required"}
	}
	m := &middleware{exec: exec, scope: scope, cfg: cfg, kept: newKept(cfg)}
	m.window = strconv.FormatInt(int64(exec.Window()/time.Second), 10)
	return m.wrap, nil
}

type middleware struct {
	exec   onceward.Executor
	scope  ScopeFunc
	cfg    Config
	kept   kept
	window string // in seconds
}

func (m *middleware) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(m.cfg.Methods, r.Method) {
			next.ServeHTTP(w, r)
			return
		}
		key, err := KeyFromHeader(r.Header)
		missing := errors.Is(err, onceward.ErrKeyMissing)
		if missing && m.cfg.KeyOptional && m.cfg.KeyField == "" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set(HeaderWindow, m.window)
		if err != nil && !(missing && m.cfg.KeyField != "") {
			writeProblem(w, keyError(err))
			return
		}
		m.keyed(w, r, key, next)
	})
}

// keyError refuses a call that has no key to speak of. It says nothing of the operation: on the way of an earlier send the key may have been whole.
func keyError(err error) error {
	return &onceward.Error{Op: "key", Err: kindOf(err).err, Cause: err,
		Hint: "send one " + HeaderKey + " header with 1 to 255 visible ASCII characters, new for each operation and the same for each retry"}
}

// keyed serves a request that may take effect once: key, scope, body, fingerprint, then the executor.
func (m *middleware) keyed(w http.ResponseWriter, r *http.Request, key onceward.Key, next http.Handler) {
	scope, err := m.scopeOf(r)
	if err != nil {
		writeProblem(w, &onceward.Error{Op: "scope", Key: key, Err: onceward.ErrScopeEmpty, Cause: err, Hint: "authenticate, and send the same key again"})
		return
	}
	body, err := m.readBody(w, r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	if !key.IsZero() && m.cfg.KeyField != "" {
		if other, err := keyFromField(body, m.cfg.KeyField); err == nil && other != key {
			writeProblem(w, keyError(fmt.Errorf("%w: header and body have two different keys", onceward.ErrKeyInvalid)))
			return
		}
	}
	if key.IsZero() {
		switch key, err = keyFromField(body, m.cfg.KeyField); {
		case errors.Is(err, onceward.ErrKeyMissing) && m.cfg.KeyOptional:
			w.Header().Del(HeaderWindow)
			next.ServeHTTP(w, withBody(r.Context(), r, body))
			return
		case err != nil:
			writeProblem(w, keyError(err))
			return
		}
	}
	call := onceward.Call{
		Scope:       scope,
		Key:         key,
		Fingerprint: onceward.HTTPFingerprint(r.Method, r.Host, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Content-Type"), body),
		Horizon:     horizonOf(r.Header),
		ReadOnly:    true,
	}
	s := &serving{m: m, w: w, r: r, body: body, next: next}
	s.serve(call)
}

func (m *middleware) scopeOf(r *http.Request) (onceward.Scope, error) {
	scope, err := m.scope(r)
	if err != nil {
		return scope, err
	}
	return scope, scope.Validate()
}

// readBody reads the whole body, so that nothing is claimed for a request that is not there yet.
func (m *middleware) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := &onceward.Error{Op: "body", Err: onceward.ErrBodyTooLarge,
		Hint: "this route takes at most " + strconv.FormatInt(m.cfg.MaxBody, 10) + " bytes; nothing was executed by this send"}
	if r.ContentLength > m.cfg.MaxBody {
		if r.ProtoMajor < 2 { // the rest is not worth reading; over HTTP/2 the connection is others' too
			w.Header().Set("Connection", "close")
		}
		return nil, tooLarge
	}
	if r.Body == nil {
		return nil, nil
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(min(r.ContentLength, DefaultMaxBody)) + bytes.MinRead) // beyond it only for bytes that have come
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, m.cfg.MaxBody))
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return nil, tooLarge
	case err != nil:
		return nil, &onceward.Error{Op: "body", Err: errBodyUnreadable, Cause: err, Hint: "the body broke off; nothing was executed by this send; send the same key again"}
	}
	if r.PostForm != nil || r.MultipartForm != nil || r.ContentLength > 0 && buf.Len() == 0 {
		return nil, &onceward.Error{Op: "body", Err: errBodyConsumed, Hint: "something outside of the middleware has read the body"}
	}
	return buf.Bytes(), nil
}

// horizonOf reads what the client says of its own retrying, in seconds from the mint; what cannot be read says nothing.
func horizonOf(h http.Header) time.Duration {
	seconds, err := strconv.ParseInt(h.Get(HeaderHorizon), 10, 64)
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, int64(math.MaxInt64/time.Second))) * time.Second
}

// withBody is r with another context and a body of its own.
func withBody(ctx context.Context, r *http.Request, body []byte) *http.Request {
	own := r.WithContext(ctx)
	own.Body = io.NopCloser(bytes.NewReader(body))
	own.ContentLength = int64(len(body))
	own.TransferEncoding = nil // for handlers that pass the request on
	return own
}
