package contract

import (
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Running is a target that listens.
type Running struct {
	URL  string
	Stop func()
}

// Serve serves h on l until it is stopped.
func Serve(l net.Listener, h http.Handler) Running {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)} // panics are part of the cases
	go func() { _ = server.Serve(l) }()                                                                           // ends with Stop
	return Running{URL: BaseURL(l), Stop: func() { _ = server.Close() }}
}

// Listen listens on a free port of the loopback interface.
func Listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// BaseURL is where a listener is reached.
func BaseURL(l net.Listener) string { return "http://" + l.Addr().String() }
