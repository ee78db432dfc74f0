package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/faults"
)

// network stands between a client and a server. Package faults knows how to lose things; what is lost when is the scene's, or in the storm the seed's.
type network struct {
	tell *teller
	seed uint64

	mu       sync.Mutex
	upstream http.Handler
	script   []faults.Fault
	storm    *faults.Network // while there is one
	arrived  func(n int)     // see watch
	sends    int

	struck atomic.Int64 // faults in the storm
}

// lead sets where requests are delivered.
func (n *network) lead(upstream http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.upstream = upstream
}

// next says what strikes the coming sends, in their order; those after that arrive and are answered.
func (n *network) next(script ...faults.Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.script, n.sends = script, 0
}

// watch says who is told the number of each send that arrives; nil: nobody.
func (n *network) watch(arrived func(n int)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arrived = arrived
}

// ServeHTTP delivers a request, or does not.
func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.sends++
	number, arrived, storm, upstream := n.sends, n.arrived, n.storm, n.upstream
	var struck []faults.Fault
	if len(n.script) > 0 {
		struck, n.script = n.script[:1], n.script[1:]
	}
	n.mu.Unlock()
	switch {
	case storm != nil:
		storm.ServeHTTP(w, r)
	case struck == nil:
		if arrived != nil {
			arrived(number)
		}
		upstream.ServeHTTP(w, r)
	default:
		once, err := faults.New(upstream, faults.Config{Faults: struck, Log: n.log})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		once.ServeHTTP(w, r)
	}
}

// count is how many sends there were since the scene began.
func (n *network) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sends
}

func (n *network) log(e faults.Event) {
	switch e.Fault {
	case "lose-request":
		n.tell.say("network", "loses the request: it does not arrive")
	case "lose-reply":
		n.tell.say("network", "delivers the request, and loses the reply to it")
	}
}

// rage begins a storm: each send, by whomever, may be struck.
func (n *network) rage(fault ...faults.Fault) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	storm, err := faults.New(n.upstream, faults.Config{
		Seed: n.seed, Faults: fault, Identity: referenceOf, Log: func(faults.Event) { n.struck.Add(1) },
	})
	n.storm = storm
	return err
}

// calm ends it, and returns when every copy that was on its way has arrived.
func (n *network) calm(ctx context.Context) error {
	n.mu.Lock()
	storm := n.storm
	n.storm = nil
	n.mu.Unlock()
	if storm == nil {
		return nil
	}
	return storm.Close(ctx)
}

// referenceOf names what a request is a copy of: not by its key, which differs from run to run, so that a seed repeats a storm.
func referenceOf(r *http.Request) string {
	var o order
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_ = json.Unmarshal(body, &o)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return o.Reference
}

// listen serves h on a loopback port.
func listen(h http.Handler) (url string, server *http.Server, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server = &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)} // what breaks off is meant to
	go func() { _ = server.Serve(l) }()                                                                          // ends with Close
	return "http://" + l.Addr().String(), server, nil
}
