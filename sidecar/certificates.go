package sidecar

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// certificates are the listener's, read anew by each reload.
type certificates struct {
	own     *tls.Certificate
	clients *x509.CertPool
	ask     tls.ClientAuthType
}

// newCertificates returns nil for a listener without TLS.
func newCertificates(c Config) (*certificates, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("tls-cert and tls-key: %w", err)
	}
	out := &certificates{own: &pair}
	if c.ClientCA != "" {
		text, err := os.ReadFile(c.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("client-ca: %w", err)
		}
		out.clients = x509.NewCertPool()
		if !out.clients.AppendCertsFromPEM(text) {
			return nil, errors.New("client-ca has no certificate in PEM")
		}
		out.ask = tls.RequireAndVerifyClientCert
		if c.AllowAnonymous {
			out.ask = tls.VerifyClientCertIfGiven
		}
	}
	return out, nil
}

// tls is the listener's configuration, looked up anew for each connection. It is nil without TLS.
func (p *Proxy) tls() *tls.Config {
	if p.certs.Load() == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := p.certs.Load()
			return &tls.Config{
				MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*now.own}, NextProtos: []string{"h2", "http/1.1"},
				ClientAuth: now.ask, ClientCAs: now.clients,
			}, nil
		},
	}
}
