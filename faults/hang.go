package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// Hang leaves the client without an answer with probability p: until the client goes, or for limit, and then the exchange is aborted.
// In one half of the cases the upstream never sees the request, in the other it runs to its end, whether the client still waits or not.
//
// The limit is required and more than 0, because a client without a timeout would hold its connection for ever. [Network.Close] ends
// hanging at once.
func Hang(p float64, limit time.Duration) Fault {
	f := Fault{name: "hang", probability: p, place: placeEnd}
	if limit <= 0 {
		f.wrong = fmt.Errorf("the limit is %v: must be more than 0", limit)
	}
	f.plan = func(draw *rand.Rand) strike { return planHang(draw, limit) }
	return f
}

func planHang(draw *rand.Rand, limit time.Duration) strike {
	s := strike{detail: "without the work", needsBody: true} // net/http notices that a client has gone only once its request was read
	works := draw.IntN(2) == 0
	if works {
		s.detail = "after the work"
	}
	s.wrap = func(n *Network, next http.Handler) http.Handler { return hang(n, next, works, limit) }
	return s
}

func hang(n *Network, next http.Handler, works bool, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer n.wait(clientOf(r), limit) // deferred: the upstream may end by an abort
		if works {
			r, free := n.detach(r)
			defer free()
			next.ServeHTTP(newReply(w, 0), r)
		}
		abort()
	})
}

// wait returns after d, when the client goes, or when the network is being closed.
func (n *Network) wait(client context.Context, d time.Duration) {
	ctx, cancel := context.WithCancel(client)
	defer cancel()
	defer context.AfterFunc(n.open, cancel)()
	_ = n.cfg.Sleep(ctx, d) // cut short: nobody waits any longer
}
