package oncehttp

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
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
		if err != nil && !(missing && m.cfg.KeyField != "") {
			w.Header().Set(HeaderWindow, m.window)
			m.refuse(w, r, keyError(err))
			return
		}
		m.keyed(w, r, key, next)
	})
}

// refuse answers a call that the executor does not get to see.
func (m *middleware) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if m.cfg.Refused != nil {
		m.cfg.Refused(r, kindOf(err).name, err)
	}
	writeProblem(w, err)
}

// keyError refuses a call that has no key to speak of. It says nothing of the operation: on the way of an earlier send the key may have been whole.
func keyError(err error) error {
	return &onceward.Error{Op: "key", Err: kindOf(err).err, Cause: err,
		Hint: "send one " + HeaderKey + " header with 1 to 255 visible ASCII characters, new for each operation and the same for each retry"}
}

// keyed serves a request that may take effect once: key, scope, body, fingerprint, then the executor.
func (m *middleware) keyed(w http.ResponseWriter, r *http.Request, key onceward.Key, next http.Handler) {
	s := m.serving(w, r, next)
	defer s.leave()
	scope, err := m.scopeOf(r)
	if err != nil {
		m.refuse(w, r, &onceward.Error{Op: "scope", Key: key, Err: onceward.ErrScopeEmpty, Cause: err, Hint: "authenticate, and send the same key again"})
		return
	}
	body, err := m.readBody(w, r, s.room.bytes)
	if err != nil {
		m.refuse(w, r, err)
		return
	}
	key, err = m.keyOf(key, body)
	switch {
	case errors.Is(err, onceward.ErrKeyMissing) && m.cfg.KeyOptional:
		w.Header().Del(HeaderWindow)
		again := newWhole(bytes.Clone(body)) // body's memory goes to the next request
		next.ServeHTTP(w, withBody(r.Context(), r, again))
		return
	case err != nil:
		m.refuse(w, r, keyError(err))
		return
	}
	call := onceward.Call{
		Scope:       scope,
		Key:         key,
		Fingerprint: onceward.HTTPFingerprint(r.Method, r.Host, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Content-Type"), body),
		Horizon:     horizonOf(r.Header),
		ReadOnly:    true,
	}
	s.body, s.room.bytes = body, body
	s.serve(call)
}

// keyOf is the request's key: the header's, or where that is missing the one in the body. If both have one, they are the same.
func (m *middleware) keyOf(header onceward.Key, body []byte) (onceward.Key, error) {
	if m.cfg.KeyField == "" {
		return header, nil
	}
	field, err := keyFromField(body, m.cfg.KeyField)
	switch {
	case header.IsZero():
		return field, err
	case err == nil && field != header:
		return header, fmt.Errorf("%w: header and body have two different keys", onceward.ErrKeyInvalid)
	}
	return header, nil
}

func (m *middleware) scopeOf(r *http.Request) (onceward.Scope, error) {
	scope, err := m.scope(r)
	if err != nil {
		return scope, err
	}
	return scope, scope.Validate()
}

// horizonOf reads what the client says of its own retrying, in seconds from the mint; what cannot be read says nothing. A number too large
// for a Duration is the longest one: no window is longer.
func horizonOf(h http.Header) time.Duration {
	horizon, _ := retry.ParseSeconds(h.Get(HeaderHorizon))
	return horizon
}
