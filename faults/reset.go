package faults

import (
	"math/rand/v2"
	"net"
	"net/http"
)

// Reset resets the client's connection with probability p: in one half of the cases before the upstream sees the request, in the other after
// it has run to its end, whether the client still waits or not. The client is told by the same "connection reset by peer" in both,
// and can not tell them apart.
//
// On HTTP/1 the connection is taken from the server and closed without lingering, which sends a TCP RST (RFC 9293 §3.10.7); where
// the server's http.ResponseWriter cannot be hijacked, the exchange is aborted. On HTTP/2 the stream is reset (RFC 9113 §6.4) and its connection
// stays.
func Reset(p float64) Fault {
	return Fault{name: "reset", probability: p, place: placeEnd, plan: planReset}
}

func planReset(draw *rand.Rand) strike {
	if draw.IntN(2) == 0 {
		return strike{detail: "before the work", wrap: func(*Network, http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reset(w) })
		}}
	}
	return strike{detail: "after the work", wrap: func(n *Network, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r, free := n.detach(r)
			defer free()
			next.ServeHTTP(newReply(w, 0), r)
			reset(w)
		})
	}}
}

// reset ends the exchange by a TCP RST where the connection is the exchange's own.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2: net/http resets the stream
		abort()
	}
	for {
		outer, ok := conn.(interface{ NetConn() net.Conn }) // like *tls.Conn, whose Close would say goodbye
		if !ok {
			break
		}
		conn = outer.NetConn()
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // if it fails the connection is closed all the same
	}
	conn.Close()
	abort() // what stands outside sees the same as with the other faults
}
