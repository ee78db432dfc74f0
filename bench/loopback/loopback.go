package loopback

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

const replySize = 1024

var replyBody = bytes.Repeat([]byte("a"), replySize)

// reply reads the request, as every handler does, and answers 1 KB.
func reply(w http.ResponseWriter, r *http.Request) {
	var body [512]byte
	for {
		if _, err := r.Body.Read(body[:]); err != nil {
			break
		}
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", "1024")
	_, _ = w.Write(replyBody)
}

// server serves one contender. Its handler can be changed between rounds.
type server struct {
	http    http.Server
	handler atomic.Pointer[http.Handler]
	callers callers
	guard   *onceward.Guard
}

func serve() (*server, error) {
	s := &server{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load()).ServeHTTP(w, r) })
	s.set(http.HandlerFunc(reply))
	go func() { _ = s.http.Serve(listener) }()
	s.callers, err = dialAll(listener.Addr().String(), "/orders")
	return s, err
}

func (s *server) set(h http.Handler) { s.handler.Store(&h) }

// open puts the handler behind a guard whose store is empty.
func (s *server) open() error {
	s.shut()
	var err error
	s.guard, err = onceward.New(memstore.New(memstore.Config{MaxRecords: memstore.NoLimit, MaxBytes: memstore.NoLimit}), onceward.Config{})
	if err != nil {
		return err
	}
	user := func(r *http.Request) (string, error) { return r.Header.Get("X-User"), nil }
	once, err := oncehttp.Middleware(s.guard, oncehttp.Principal("orders", user), oncehttp.Config{})
	if err == nil {
		s.set(once(http.HandlerFunc(reply)))
	}
	return err
}

func (s *server) shut() {
	if s.guard != nil {
		_ = s.guard.Close(context.Background())
	}
}

func (s *server) close() {
	s.callers.close()
	_ = s.http.Close()
	s.shut()
}

// Measure runs the bare server, new keys and replays in turns.
func Measure(plan rounds.Plan, mint func(n int) []string) (results []rounds.Result, err error) {
	var fault atomic.Pointer[error]
	note := func(err error) {
		if err != nil {
			fault.CompareAndSwap(nil, &err)
		}
	}
	var servers [3]*server
	for i := range servers {
		if servers[i], err = serve(); err != nil {
			return nil, err
		}
		defer servers[i].close()
	}
	bare, fresh, again := servers[0], servers[1], servers[2]
	var keys []string
	remembered := mint(1000)
	note(again.open())
	note(again.callers.send(remembered))
	results = rounds.Run(plan,
		rounds.Contender{Name: "bare server", Prepare: func(n int) { keys = mint(n) }, Round: func(int) { note(bare.callers.send(keys)) }},
		rounds.Contender{
			Name: "new key", Prepare: func(n int) { note(fresh.open()); keys = mint(n) },
			Round: func(int) { note(fresh.callers.send(keys)) },
		},
		rounds.Contender{
			Name: "replay",
			Prepare: func(n int) {
				keys = keys[:0]
				for i := range n {
					keys = append(keys, remembered[i%len(remembered)])
				}
			},
			Round: func(int) { note(again.callers.send(keys)) },
		},
	)
	if p := fault.Load(); p != nil {
		return nil, *p
	}
	return results, nil
}
