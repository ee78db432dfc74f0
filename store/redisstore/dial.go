package redisstore

import (
	"context"
	"crypto/tls"
	"net"
)

type tlsConfig = tls.Config

func dialNet(ctx context.Context, address string, d *net.Dialer, c *tlsConfig) (net.Conn, error) {
	if c == nil {
		return d.DialContext(ctx, "tcp", address)
	}
	secure := tls.Dialer{NetDialer: d, Config: c}
	return secure.DialContext(ctx, "tcp", address)
}
