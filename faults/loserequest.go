package faults

import (
	"math/rand/v2"
	"net/http"
)

// LoseRequest loses a request with probability p: the upstream never sees it, and the client's connection is aborted.
// If the same arrival is also duplicated, the copy still gets there: a request that arrives although its sender saw it fail.
func LoseRequest(p float64) Fault {
	return Fault{name: "lose-request", probability: p, place: placeEnd, plan: func(*rand.Rand) strike {
		return strike{wrap: func(*Network, http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { abort() })
		}}
	}}
}
