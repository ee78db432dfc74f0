// Package inprocess measures the middleware, the guard and the client without a network: what they add to a handler and to an http.Client.
package inprocess

import (
	"bytes"
	"io"
	"net/http"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

const (
	requestSize = 256
	replySize   = 1024
)

var replyBody = bytes.Repeat([]byte("a"), replySize)

// payload is a request's body.
type payload struct {
	media string
	body  []byte
}

// opaque is what the targets speak of; order is JSON, of which the guard also takes a hash that explains a mismatch.
var (
	opaque = payload{"application/octet-stream", bytes.Repeat([]byte("r"), requestSize)}
	order  = payload{"application/json", jsonOrder()}
)

func jsonOrder() []byte {
	text := []byte(`{"order":{"customer":"c_81723","currency":"EUR","lines":[{"sku":"A-100","quantity":2,"price":1999},{"sku":"B-207","quantity":1,"price":4950}],` +
		`"note":"` + `"}}`)
	pad := bytes.Repeat([]byte("n"), requestSize-len(text))
	return bytes.Replace(text, []byte(`"note":"`), append([]byte(`"note":"`), pad...), 1)
}

// handler is the work that is guarded: next to none, so that what is measured is the guard.
func handler(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = plainText
	_, _ = w.Write(replyBody)
}

var plainText = []string{"text/plain"}

// writer is a response writer that costs nothing.
type writer struct{ header http.Header }

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) WriteHeader(int)             {}
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }

// exchange is one goroutine's request and response, used again and again.
type exchange struct {
	w    writer
	r    *http.Request
	sent []byte
	body bytes.Reader
	key  []string
}

func newExchange(p payload) *exchange {
	e := &exchange{w: writer{header: http.Header{}}, key: []string{""}, sent: p.body}
	r, err := http.NewRequest(http.MethodPost, "http://shop.example/orders?channel=web", nil)
	if err != nil {
		panic(err)
	}
	r.Header = http.Header{"Content-Type": {p.media}, "X-User": {"alice"}, oncehttp.HeaderKey: e.key}
	r.ContentLength, r.Body = int64(len(p.body)), io.NopCloser(&e.body)
	e.r = r
	return e
}

func (e *exchange) serve(h http.Handler, key string) {
	e.key[0] = key
	e.body.Reset(e.sent)
	clear(e.w.header)
	h.ServeHTTP(&e.w, e.r)
}

// mint makes keys before they are needed.
func mint(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		key, err := onceward.NewKey()
		if err != nil {
			panic(err)
		}
		keys[i] = key.Text()
	}
	return keys
}
