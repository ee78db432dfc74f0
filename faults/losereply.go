package faults

import (
	"math/rand/v2"
	"net/http"
)

// LoseReply loses a reply with probability p: the upstream runs to its end, whether the client still waits or not, its reply is
// thrown away, and the client's connection is aborted.
func LoseReply(p float64) Fault {
	return Fault{name: "lose-reply", probability: p, place: placeEnd, plan: func(*rand.Rand) strike {
		return strike{wrap: loseReply}
	}}
}

func loseReply(n *Network, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, free := n.detach(r)
		defer free()
		next.ServeHTTP(newReply(w, 0), r)
		abort()
	})
}
