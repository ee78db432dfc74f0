package compat

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/cors"
	"github.com/onceward/onceward/oncehttp"
)

// Inside, CORS headers are part of the saved reply: another origin's browser is told the first one's and keeps the reply from its script. And
// no script can read a refusal.
func TestOrderCORSInsideReplaysTheFirstOrigin(t *testing.T) {
	const shopOrigin, adminOrigin = "https://shop.example", "https://admin.example"
	allow := cors.Handler(cors.Options{
		AllowedOrigins: []string{shopOrigin, adminOrigin},
		AllowedMethods: []string{"POST"},
		AllowedHeaders: []string{"Content-Type", oncehttp.HeaderKey},
		ExposedHeaders: []string{oncehttp.HeaderReplayed},
	})
	origins := func(w wired) (first, second, refused string) {
		s := build(t, w)
		origin := func(body, from string) string {
			return strings.Join(s.post("k", body, "Origin", from).header.Values("Access-Control-Allow-Origin"), " and ")
		}
		return origin(tea, shopOrigin), origin(tea, adminOrigin), origin("{}", adminOrigin)
	}
	if first, second, refused := origins(wired{inside: []wrapper{allow}}); first != shopOrigin || second != shopOrigin || refused != "" {
		t.Errorf("inside: %q, %q, refusal %q", first, second, refused)
	}
	if first, second, refused := origins(wired{outside: []wrapper{allow}}); first != shopOrigin || second != adminOrigin || refused != adminOrigin {
		t.Errorf("outside: %q, %q, refusal %q", first, second, refused)
	}
}

// Inside, the compressed bytes are saved: a retry by a client that does not accept them gets them all the same.
func TestOrderCompressionInsideReplaysAnEncoding(t *testing.T) {
	long := `{"item":"` + strings.Repeat("tea", 1000) + `"}`
	compress := middleware.Compress(5)
	replay := func(w wired) (first, again answer) {
		s := build(t, w)
		first, again = s.post("k", long, "Accept-Encoding", "gzip"), s.post("k", long)
		want(t, "first", first, http.StatusCreated, "")
		want(t, "again", again, http.StatusCreated, "")
		if !again.replayed() || first.header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("first %v, again %v", first.header, again.header)
		}
		return first, again
	}
	if _, again := replay(wired{inside: []wrapper{compress}}); again.header.Get("Content-Encoding") != "gzip" || strings.Contains(again.body, "teatea") {
		t.Errorf("inside: %v", again.header)
	}
	first, again := replay(wired{outside: []wrapper{compress}})
	if again.header.Get("Content-Encoding") != "" || again.body != gunzip(t, first.body) {
		t.Errorf("outside: %v %q", again.header, again.body)
	}
	// A replay is compressed, too, for whoever accepts that.
	s := build(t, wired{outside: []wrapper{compress}})
	plain, packed := s.post("k", long), s.post("k", long, "Accept-Encoding", "gzip")
	if packed.header.Get("Content-Encoding") != "gzip" || gunzip(t, packed.body) != plain.body || !packed.replayed() {
		t.Errorf("outside, plain first: %v", packed.header)
	}
}

func gunzip(t *testing.T, packed string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What tells one send from another – a request ID, a trace – belongs outside: inside it is saved, and every replay claims to be the first send.
func TestOrderRequestIDInsideIsReplayed(t *testing.T) {
	name := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
			next.ServeHTTP(w, r)
		})
	}
	ids := func(w wired) string {
		s := build(t, w)
		var ids []string
		for _, id := range []string{"r1", "r2"} {
			ids = append(ids, s.post("k", tea, "X-Request-Id", id).header.Values("X-Request-Id")...)
		}
		return strings.Join(ids, " ")
	}
	if got := ids(wired{inside: []wrapper{name}}); got != "r1 r1" {
		t.Errorf("inside: %s", got)
	}
	if got := ids(wired{outside: []wrapper{name}}); got != "r1 r2" {
		t.Errorf("outside: %s", got)
	}
}
