package behave_test

import (
	"net/http"
	"strings"

	"github.com/onceward/onceward/bench/behave/targets/ours"
)

// wrongKeys read keys wrong.
func wrongKeys() []wrong {
	return []wrong{
		{name: "takes quotes for a part of the key", breaks: []string{"quoted"},
			variant: onKey(func(k string) string { return strings.ReplaceAll(k, `"`, "q") })},
		{name: "cuts keys", breaks: []string{"long"}, variant: onKey(func(k string) string { return k[:min(len(k), 255)] })},
		{name: "lowers keys", breaks: []string{"case"}, variant: onKey(strings.ToLower)},
		{name: "has one empty key", breaks: []string{"empty"}, variant: onKey(func(k string) string {
			if k == "" {
				return "empty"
			}
			return k
		})},
		{name: "has one missing key", breaks: []string{"missing"}, variant: onRequest(func(r *http.Request) {
			if len(r.Header.Values("Idempotency-Key")) == 0 && (r.Method == http.MethodPost || r.Method == http.MethodPatch) {
				r.Header.Set("Idempotency-Key", "none")
			}
		})},
		{name: "takes the last of two and the first of joined keys", breaks: []string{"joined-headers"}, variant: onRequest(func(r *http.Request) {
			keys := r.Header.Values("Idempotency-Key")
			if len(keys) > 1 {
				r.Header.Set("Idempotency-Key", keys[1])
			} else if len(keys) == 1 {
				first, _, _ := strings.Cut(keys[0], ",")
				r.Header.Set("Idempotency-Key", first)
			}
		})},
		{name: "breaks at odd bytes", breaks: []string{"control-character"}, variant: ours.Variant{Outside: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.ContainsFunc(r.Header.Get("Idempotency-Key"), func(c rune) bool { return c > '~' }) {
					http.Error(w, "invalid byte sequence", http.StatusInternalServerError)
					return
				}
				next.ServeHTTP(w, r)
			})
		}}},
		{name: "guards reads", breaks: []string{"safe-methods"}, variant: blind(func(r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				r.Method = http.MethodPost
				r.Header.Set("Idempotency-Key", "read-"+r.Header.Get("Idempotency-Key"))
			}
		})},
	}
}
