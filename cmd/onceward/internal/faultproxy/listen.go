package faultproxy

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"time"
)

// readHeaderTimeout and idleTimeout bound what a client that says nothing costs.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// newServer speaks HTTP/1.1 and HTTP/2 without TLS (RFC 9113 §3.3, prior knowledge).
func newServer(h http.Handler, notes io.Writer) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           h,
		Protocols:         &protocols,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          log.New(notes, "onceward faults: ", 0),
	}
}

// leadsTo says whether a request to u would arrive at addr, as far as that can be seen without asking for names.
func leadsTo(u *url.URL, addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	_, port, err := net.SplitHostPort(tcp.String())
	if err != nil || portOf(u) != port {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	switch {
	case u.Hostname() == "localhost":
		return tcp.IP.IsLoopback() || tcp.IP.IsUnspecified()
	case tcp.IP.IsUnspecified():
		return ip.IsLoopback() || ip.IsUnspecified()
	}
	return ip.Equal(tcp.IP)
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
