package behave_test

import (
	"net/http"

	"github.com/onceward/onceward/bench/behave/contract"
	"github.com/onceward/onceward/bench/behave/targets/ours"
)

// wrongRequests take different requests for one, and one for different ones.
func wrongRequests() []wrong {
	return []wrong{
		{name: "does not look at the body", breaks: []string{"other-body", "other-body-in-flight"}, variant: blind(func(r *http.Request) { withBytes(r, nil) })},
		{name: "does not look at the query", breaks: []string{"other-query"}, variant: blind(func(r *http.Request) { r.URL.RawQuery = "" })},
		{name: "does not look at path and query", breaks: []string{"other-query", "other-path"}, variant: blind(func(r *http.Request) { r.URL.Path, r.URL.RawQuery = "/", "" })},
		{name: "does not look at method and query", breaks: []string{"other-query", "other-method"},
			variant: blind(func(r *http.Request) {
				r.URL.RawQuery = ""
				if r.Method == http.MethodPatch {
					r.Method = http.MethodPost
				}
			})},
		{name: "looks at the framing", breaks: []string{"reframed"}, variant: onRequest(func(r *http.Request) {
			if r.ContentLength < 0 {
				r.Host = "chunked"
			}
		})},
		{name: "looks at the token", breaks: []string{"refreshed-token"}, variant: onRequest(func(r *http.Request) { r.Host += r.Header.Get("Authorization") })},
		{name: "has one scope for all", breaks: []string{"no-leak", "own-operation", "anonymous"},
			variant: blind(func(r *http.Request) {
				r.Header.Set(contract.HeaderPrincipal, "all")
				r.URL.RawQuery = r.URL.Query().Get("op") // two operations under one key are still two
			})},
		{name: "takes strangers for alice", breaks: []string{"anonymous"}, variant: blind(func(r *http.Request) {
			if r.Header.Get(contract.HeaderPrincipal) == "" {
				r.Header.Set(contract.HeaderPrincipal, "alice")
			}
		})},
		{name: "refuses bob", breaks: []string{"own-operation"}, variant: ours.Variant{Outside: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get(contract.HeaderPrincipal) == "bob" {
					http.Error(w, "this key is taken", http.StatusConflict)
					return
				}
				next.ServeHTTP(w, r)
			})
		}}},
	}
}
