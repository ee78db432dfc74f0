package behave_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/onceward/onceward/bench/behave/targets/ours"
)

// touched lets a reply's head be changed just before it leaves.
type touched struct {
	http.ResponseWriter
	change func(h http.Header, status int) int
	gone   bool
}

func (w *touched) WriteHeader(status int) {
	if !w.gone && status >= 200 {
		w.gone = true
		status = w.change(w.Header(), status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *touched) Write(b []byte) (int, error) {
	if !w.gone {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

func (w *touched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// onReply changes the head of each reply.
func onReply(change func(h http.Header, status int) int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&touched{ResponseWriter: w, change: change}, r)
		})
	}
}

// onReplay changes the headers of replays.
func onReplay(change func(h http.Header)) ours.Variant {
	return ours.Variant{Outside: onReply(func(h http.Header, status int) int {
		if h.Get("Idempotent-Replayed") == "true" {
			change(h)
		}
		return status
	})}
}

// onRequest changes requests before they reach the middleware.
func onRequest(change func(*http.Request)) ours.Variant {
	return ours.Variant{Outside: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			next.ServeHTTP(w, r)
		})
	}}
}

// onKey changes the keys.
func onKey(change func(string) string) ours.Variant {
	return onRequest(func(r *http.Request) {
		if keys := r.Header.Values("Idempotency-Key"); len(keys) == 1 {
			r.Header.Set("Idempotency-Key", change(keys[0]))
		}
	})
}

type original struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
}

type originalKey struct{}

// blind hides something of the request from the middleware; the handler sees it.
func blind(hide func(*http.Request)) ours.Variant {
	return ours.Variant{
		Outside: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					http.Error(w, "cut", http.StatusBadRequest)
					return
				}
				was := original{r.Method, r.URL, r.Header, body}
				hidden := r.WithContext(context.WithValue(r.Context(), originalKey{}, was))
				address := *r.URL
				hidden.URL, hidden.Header = &address, r.Header.Clone()
				withBytes(hidden, body)
				hide(hidden)
				next.ServeHTTP(w, hidden)
			})
		},
		Inside: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if was, ok := r.Context().Value(originalKey{}).(original); ok { // the bare route has nothing hidden
					r = r.WithContext(r.Context())
					r.Method, r.URL, r.Header = was.method, was.url, was.header
					withBytes(r, was.body)
				}
				next.ServeHTTP(w, r)
			})
		},
	}
}

func withBytes(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
}

// unguarded lets what it names past the middleware.
func unguarded(is func(*http.Request) bool) ours.Variant {
	return ours.Variant{Both: func(guarded, bare http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if is(r) {
				bare.ServeHTTP(w, r)
				return
			}
			guarded.ServeHTTP(w, r)
		})
	}}
}

func isProblem(h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "application/problem+json")
}
