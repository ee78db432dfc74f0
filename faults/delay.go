package faults

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Delay holds an exchange up with probability p, for a time drawn evenly from lo to hi: the request, before the upstream sees it,
// or the reply, before its first byte.
//
// A delayed request arrives whether its client still waits or not, with a context that does not end with the client's:
// a late copy that comes after the client has sent again. A delayed reply makes the upstream's first write wait, until the
// client goes.
func Delay(p float64, lo, hi time.Duration) Fault {
	f := Fault{name: "delay", probability: p, place: placeDelay}
	if lo < 0 || hi < lo {
		f.wrong = fmt.Errorf("from %v to %v: must be 0 or more, and not from more to less", lo, hi)
	}
	f.plan = func(draw *rand.Rand) strike { return planDelay(draw, lo, hi) }
	return f
}

func planDelay(draw *rand.Rand, lo, hi time.Duration) strike {
	d := lo
	if hi > lo {
		d += time.Duration(draw.Int64N(int64(hi - lo)))
	}
	if draw.IntN(2) == 0 {
		return strike{
			detail:    fmt.Sprintf("the request by %v", d),
			needsBody: true, // it must be read before its client goes
			wrap:      func(n *Network, next http.Handler) http.Handler { return delayRequest(n, next, d) },
		}
	}
	return strike{
		detail: fmt.Sprintf("the reply by %v", d),
		wrap:   func(n *Network, next http.Handler) http.Handler { return delayReply(n, next, d) },
	}
}

func delayRequest(n *Network, next http.Handler, d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, free := n.detach(r)
		defer free()
		if n.cfg.Sleep(r.Context(), d) != nil { // the network was closed
			abort()
		}
		next.ServeHTTP(w, r)
	})
}

func delayReply(n *Network, next http.Handler, d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		late := &lateWriter{ResponseWriter: w, wait: sync.OnceFunc(func() {
			_ = n.cfg.Sleep(r.Context(), d) // cut short: nobody waits for the reply any longer
		})}
		defer late.wait() // a reply without a write, or an abort
		next.ServeHTTP(late, r)
	})
}

// lateWriter waits before its first byte.
type lateWriter struct {
	http.ResponseWriter
	wait func()
}

func (l *lateWriter) WriteHeader(status int) {
	l.wait()
	l.ResponseWriter.WriteHeader(status)
}

func (l *lateWriter) Write(b []byte) (int, error) {
	l.wait()
	return l.ResponseWriter.Write(b)
}

func (l *lateWriter) FlushError() error {
	l.wait()
	return http.NewResponseController(l.ResponseWriter).Flush()
}

func (l *lateWriter) Flush() { _ = l.FlushError() }

// Hijack is for a reset, which is late too.
func (l *lateWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	l.wait()
	return http.NewResponseController(l.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController reach what is not about the reply's bytes.
func (l *lateWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }
