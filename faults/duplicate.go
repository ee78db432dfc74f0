package faults

import (
	"errors"
	"log"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
)

// Duplicate delivers a request twice with probability p. The copy goes straight to the upstream, at the same time as the first or
// after that has ended; its reply is dropped, and what else strikes the arrival strikes only the first. The copy's
// context does not end with the client's. [Network.Wait] and [Network.Close] wait for copies.
func Duplicate(p float64) Fault {
	return Fault{name: "duplicate", probability: p, place: placeDuplicate, plan: planDuplicate}
}

func planDuplicate(draw *rand.Rand) strike {
	s := strike{detail: "at the same time", needsBody: true}
	after := draw.IntN(2) == 0
	if after {
		s.detail = "afterwards"
	}
	s.wrap = func(n *Network, next http.Handler) http.Handler { return duplicate(n, next, after) }
	return s
}

func duplicate(n *Network, next http.Handler, after bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		second := again(r) // before the upstream may change r
		reply := newReply(w, 0)
		if after {
			defer n.deliverCopy(reply, second) // deferred: the first may end by an abort
		} else {
			n.deliverCopy(reply, second)
		}
		next.ServeHTTP(w, r)
	})
}

// deliverCopy delivers r to the upstream in the background. The arrival that it is a copy of is still under way, so a
// closed network waits for it too.
func (n *Network) deliverCopy(w *reply, r *http.Request) {
	n.mu.Lock()
	n.begin()
	n.mu.Unlock()
	r, free := n.detach(r)
	go func() {
		defer n.leave()
		defer free()
		defer recovered(r)
		n.upstream.ServeHTTP(w, r)
	}()
}

// recovered does what net/http does for its own goroutines: a handler's panic ends the exchange, not the process.
func recovered(r *http.Request) {
	fault := recover()
	if err, ok := fault.(error); fault == nil || ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	logger := log.Default()
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.ErrorLog != nil {
		logger = server.ErrorLog
	}
	logger.Printf("faults: panic serving a duplicate: %v\n%s", fault, debug.Stack())
}
