package faults_test

import (
	"context"
	"net"
)

type dial func(ctx context.Context, network, addr string) (net.Conn, error)

func newDialer() dial { return new(net.Dialer).DialContext }

// counting counts the connections that a client opens.
func (w *wire) counting(next dial) dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		w.mu.Lock()
		w.conns++
		w.mu.Unlock()
		return next(ctx, network, addr)
	}
}

func (w *wire) connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.conns
}
