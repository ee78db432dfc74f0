package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// CutReply cuts a reply with probability p: the upstream runs to its end, whether the client still waits or not; then status,
// headers and a part of the body are sent, in one case of four none of it, and the connection is aborted.
//
// Content-Length stays that of the whole body, so a client sees the headers and then an unexpected EOF. An empty body loses its
// Content-Length: 0, without which its end is missing too. A reply that can have no body, as to HEAD or with status 204, is lost
// whole: without a body, its headers are all of it. The reply is held until the upstream has ended, so a stream that has no end is
// never cut.
func CutReply(p float64) Fault {
	return Fault{name: "cut-reply", probability: p, place: placeEnd, plan: planCut}
}

func planCut(draw *rand.Rand) strike {
	at := 0.0
	if draw.IntN(4) != 0 {
		at = draw.Float64()
	}
	return strike{
		detail: fmt.Sprintf("at %.3f of the body", at),
		wrap:   func(n *Network, next http.Handler) http.Handler { return cut(n, next, at) },
	}
}

func cut(n *Network, next http.Handler, at float64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, free := n.detach(r)
		defer free()
		whole := newReply(w, n.cfg.MaxBody)
		next.ServeHTTP(whole, r)
		whole.WriteHeader(http.StatusOK)
		sendPart(w, r, whole, at)
		abort()
	})
}

// sendPart sends what the client shall see of the reply, and nothing if it could take that for all of it.
func sendPart(w http.ResponseWriter, r *http.Request, whole *reply, at float64) {
	header := whole.sent
	switch {
	case whole.size == 0:
		header.Del("Content-Length")
	case !whole.flushed && header.Get("Content-Length") == "" && header.Get("Trailer") == "":
		header.Set("Content-Length", strconv.Itoa(whole.size)) // as net/http does for a reply that it has whole
	}
	endless := header.Get("Content-Length") == "" && !r.ProtoAtLeast(1, 1) // HTTP/1.0: the connection's end is the body's
	if endless || !whole.hasBody(r.Method) {
		return
	}
	clear(w.Header())
	maps.Copy(w.Header(), header)
	w.WriteHeader(whole.status)
	_, _ = w.Write(whole.body[:min(int(at*float64(whole.size)), len(whole.body))]) // the client may be gone: then it is cut anyway
	_ = http.NewResponseController(w).Flush()
}
