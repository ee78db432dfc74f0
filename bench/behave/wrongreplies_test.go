package behave_test

import (
	"net/http"
	"strings"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/bench/behave/targets/ours"
	"github.com/onceward/onceward/oncehttp"
)

// wrongReplies get replays wrong, and what handlers' ends mean.
func wrongReplies() []wrong {
	status := func(code int, e onceward.Ending) ours.Variant {
		return ours.Variant{Middleware: func(c *oncehttp.Config) { c.Statuses = map[int]onceward.Ending{code: e} }}
	}
	drop := func(name string) ours.Variant { return onReplay(func(h http.Header) { h.Del(name) }) }
	return []wrong{
		{name: "forgets a header", breaks: []string{"retry"}, variant: drop("X-Order")},
		{name: "marks no replay", breaks: []string{"marked"}, variant: drop("Idempotent-Replayed")},
		{name: "loses Location", breaks: []string{"redirect"}, variant: drop("Location")},
		{name: "loses Content-Encoding", breaks: []string{"encoded"}, variant: drop("Content-Encoding")},
		{name: "loses trailers", breaks: []string{"trailers"}, variant: drop("Trailer")},
		{name: "guesses types", breaks: []string{"content-type"}, variant: onReplay(func(h http.Header) {
			if strings.HasPrefix(h.Get("Content-Type"), "application/vnd.") {
				h.Set("Content-Type", "text/plain; charset=utf-8")
			}
		})},
		{name: "keeps the last of several values", breaks: []string{"multi-value-header"}, variant: onReplay(func(h http.Header) {
			for name, values := range h {
				if len(values) > 1 && name != "Trailer" {
					h[name] = values[len(values)-1:]
				}
			}
		})},
		{name: "splits values at commas", breaks: []string{"comma-in-header"}, variant: onReplay(func(h http.Header) {
			if v := h.Get("Last-Modified"); v != "" {
				h["Last-Modified"] = strings.Split(v, ", ")
			}
		})},
		{name: "replays everything as a 200", breaks: []string{"no-content"}, variant: ours.Variant{Outside: onReply(func(_ http.Header, status int) int {
			if status == http.StatusNoContent {
				return http.StatusOK
			}
			return status
		})}},
		{name: "does not guard streams", breaks: []string{"streamed", "hang-up-in-stream"},
			variant: unguarded(func(r *http.Request) bool { return r.URL.Query().Get("flush") == "1" })},
		{name: "does not guard copied bodies", breaks: []string{"copied-body"},
			variant: unguarded(func(r *http.Request) bool { return r.URL.Query().Get("copy") == "1" })},
		{name: "runs large replies again", breaks: []string{"large-reply"},
			variant: unguarded(func(r *http.Request) bool { return len(r.URL.Query().Get("size")) > 6 })},
		{name: "believes in any length", breaks: []string{"broken-off"}, variant: ours.Variant{Inside: onReply(func(h http.Header, status int) int {
			h.Del("Content-Length")
			return status
		})}},
		{name: "runs again after doubt", breaks: []string{"panic", "unavailable", "broken-off"},
			variant: ours.Variant{Guard: func(c *onceward.Config) { c.OnLapse = onceward.Rerun }}},
		{name: "frees a 500", breaks: []string{"server-error"}, variant: status(http.StatusInternalServerError, onceward.EndFree)},
		{name: "frees a 402", breaks: []string{"declined"}, variant: status(http.StatusPaymentRequired, onceward.EndFree)},
		{name: "keeps a 429", breaks: []string{"too-many"}, variant: status(http.StatusTooManyRequests, onceward.EndSave)},
	}
}
