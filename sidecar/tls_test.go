package sidecar

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store/memstore"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) file() string {
	return write(a.t, filepath.Join(a.dir, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})))
}

// issue makes a certificate for name, each time with another key and number.
func (a *authority) issue(name string) (certFile, keyFile string) {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	key := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	base := filepath.Join(a.dir, serial.String())
	return write(a.t, base+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		write(a.t, base+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
}

// client has a certificate for name; "": none.
func (a *authority) client(name string) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	c := &tls.Config{RootCAs: pool}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.issue(name))
		if err != nil {
			a.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true, ForceAttemptHTTP2: true}}
}

func TestTheCertificatesNameIsTheScope(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	up := serving(t, nil)
	cfg := Default()
	cfg.Upstream, cfg.Scope, cfg.Listen, cfg.ClientCA = up.URL, "cert", "127.0.0.1:0", ca.file()
	cfg.TLSCert, cfg.TLSKey = ca.issue("proxy")
	cfg.Admin = "unix:" + filepath.Join(t.TempDir(), "admin")
	log := newLines()
	p, err := New(t.Context(), memstore.New(memstore.Config{}), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	url := log.find(t, "url=")
	post := func(client *http.Client) answer {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader("x"))
		req.Header.Set("Idempotency-Key", "k")
		return read(client, req)
	}
	if a := post(ca.client("alice")); !a.is(201) || a.ProtoMajor != 2 {
		t.Errorf("%d %s %v", a.StatusCode, a.Proto, a.err)
	}
	if a := post(ca.client("alice")); !a.replayed() { // with another certificate
		t.Errorf("%d: after a renewal the retry ran again", a.StatusCode)
	}
	if a := post(ca.client("bob")); !a.is(201) || a.replayed() {
		t.Errorf("%d: bob gets alice's reply", a.StatusCode)
	}
	nobody := stranger.client("alice")
	nobody.Transport.(*http.Transport).TLSClientConfig.RootCAs = ca.client("").Transport.(*http.Transport).TLSClientConfig.RootCAs
	for name, client := range map[string]*http.Client{"nobody": ca.client(""), "a stranger's alice": nobody} {
		if a := post(client); a.err == nil {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
