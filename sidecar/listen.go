package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// idleTimeout is how long a client may keep an unused connection.
const idleTimeout = 2 * time.Minute

// listeners are the two doors: the clients' and the operators'.
type listeners struct {
	public, admin net.Listener
}

func (p *Proxy) listen(ctx context.Context) (*listeners, error) {
	var lc net.ListenConfig
	public, err := lc.Listen(ctx, "tcp", p.started.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", p.started.Listen, err)
	}
	if leadsTo(p.up, public.Addr()) {
		public.Close()
		return nil, errors.New("upstream is where the proxy itself listens: requests would go round in a circle")
	}
	admin, err := listenAdmin(ctx, p.started.Admin)
	if err != nil {
		public.Close()
		return nil, fmt.Errorf("admin %s: %w", p.started.Admin, err)
	}
	return &listeners{public: public, admin: admin}, nil
}

// listenAdmin opens a loopback address or a Unix socket that only the proxy's user can connect to. A socket that a dead proxy left is replaced.
func listenAdmin(ctx context.Context, where string) (net.Listener, error) {
	var lc net.ListenConfig
	path, isSocket := strings.CutPrefix(where, "unix:")
	if !isSocket {
		return lc.Listen(ctx, "tcp", where)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		var d net.Dialer
		if conn, err := d.DialContext(ctx, "unix", path); err == nil {
			conn.Close()
			return nil, errors.New("another process listens there")
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// publicServer speaks HTTP/1.1 and HTTP/2, the latter also without TLS (RFC 9113 §3.3, prior knowledge). It has no WriteTimeout: what is not keyed may stream for days.
func (p *Proxy) publicServer() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           p,
		Protocols:         &protocols,
		ReadHeaderTimeout: p.started.HeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    int(p.started.MaxHeader),
		ErrorLog:          serverLog(p.watch.log),
	}
}

func (p *Proxy) adminServer() (*http.Server, error) {
	authorize, err := p.started.authorizer()
	if err != nil {
		return nil, err
	}
	handler, err := p.adminHandler(authorize)
	if err != nil {
		return nil, err
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: p.started.HeaderTimeout,
		ReadTimeout:       idleTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          serverLog(p.watch.log),
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}, nil
}

// serverLog is for what net/http complains of: broken TLS handshakes and the like, which strangers can cause at will.
func serverLog(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }

// leadsTo says whether a request to the upstream would arrive at addr, as far as that can be seen without asking for names.
func leadsTo(up *upstream, addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return false
	}
	_, port, _ := net.SplitHostPort(up.address())
	if _, own, err := net.SplitHostPort(tcp.String()); err != nil || own != port {
		return false
	}
	ip := net.ParseIP(up.url.Hostname())
	switch {
	case up.url.Hostname() == "localhost":
		return tcp.IP.IsLoopback() || tcp.IP.IsUnspecified()
	case tcp.IP.IsUnspecified():
		return ip.IsLoopback() || ip.IsUnspecified()
	}
	return ip.Equal(tcp.IP)
}
