package sidecar

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/onceward/onceward/store/memstore"
)

// signer is an issuer of tokens.
type signer struct {
	method jwt.SigningMethod
	key    any
	id     string
}

func (s signer) token(t *testing.T, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": "https://id.example", "aud": []string{"orders"}, "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(), "jti": rand.Text()}
	if change != nil {
		change(claims)
	}
	token := jwt.NewWithClaims(s.method, claims)
	if s.id != "" {
		token.Header["kid"] = s.id
	}
	text, err := token.SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: Bearer " + text
}

func publicPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func withJWT(keys string) func(*Config) {
	return func(c *Config) {
		c.Scope, c.JWTKeys, c.JWTIssuer, c.JWTAudience = "jwt", keys, "https://id.example", "orders"
	}
}

func TestTokensAreVerified(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := publicPEM(t, &ec.PublicKey)
	up := serving(t, nil)
	b := start(t, up.URL, withJWT(keys))
	good := signer{method: jwt.SigningMethodES256, key: ec}
	text, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]string{
		"nobody":            "X: y",
		"no token":          "Authorization: Bearer",
		"basic":             "Authorization: Basic YWxpY2U6eA==",
		"another key":       signer{method: jwt.SigningMethodES256, key: other}.token(t, nil),
		"not signed":        signer{method: jwt.SigningMethodNone, key: jwt.UnsafeAllowNoneSignatureType}.token(t, nil),
		"key as a password": signer{method: jwt.SigningMethodHS256, key: text}.token(t, nil),
		"another issuer":    good.token(t, func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }),
		"no issuer":         good.token(t, func(c jwt.MapClaims) { delete(c, "iss") }),
		"another audience":  good.token(t, func(c jwt.MapClaims) { c["aud"] = "payouts" }),
		"no audience":       good.token(t, func(c jwt.MapClaims) { delete(c, "aud") }),
		"expired":           good.token(t, func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() }),
		"no expiry":         good.token(t, func(c jwt.MapClaims) { delete(c, "exp") }),
		"not yet":           good.token(t, func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() }),
		"no subject":        good.token(t, func(c jwt.MapClaims) { delete(c, "sub") }),
	} {
		if a := b.send("POST", "/", "x", "Idempotency-Key: k", header); !a.is(403) {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.problem())
		}
	}
	if n := len(up.arrived()); n != 0 {
		t.Fatalf("%d arrived", n)
	}
	b.expect(b.send("POST", "/", "x", "Idempotency-Key: k", good.token(t, nil)), 201, "saved")
	if a := b.send("POST", "/", "x", "Idempotency-Key: k", good.token(t, nil)); !a.replayed() {
		t.Error("with a refreshed token the retry ran again")
	}
	if a := b.send("POST", "/", "x", "Idempotency-Key: k", good.token(t, func(c jwt.MapClaims) { c["sub"] = "bob" })); a.replayed() {
		t.Error("bob gets alice's reply")
	}
	if got := b.principals(); !strings.Contains(got, "jwt:https://id.example alice") {
		t.Errorf("principals %q", got)
	}
}

func TestWithoutAKeyJWTDoesNotStart(t *testing.T) {
	dir := t.TempDir()
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"keys":[]}`)) }))
	t.Cleanup(empty.Close)
	secret := filepath.Join(dir, "secret.json")
	if err := os.WriteFile(secret, []byte(`{"keys":[{"kty":"oct","kid":"1","alg":"HS256","k":"`+base64.RawURLEncoding.EncodeToString(make([]byte, 32))+`"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	away := httptest.NewServer(http.RedirectHandler("http://id.example/jwks", http.StatusFound))
	t.Cleanup(away.Close)
	for _, keys := range []string{filepath.Join(dir, "missing"), secret, publicPEM(t, exchange.PublicKey()), empty.URL, away.URL, "http://127.0.0.1:1/jwks", "http://id.example/jwks"} {
		cfg := Default()
		cfg.Upstream = "http://127.0.0.1:1"
		withJWT(keys)(&cfg)
		if _, err := New(t.Context(), memstore.New(memstore.Config{}), cfg, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("it starts with keys from %s", keys)
		}
	}
}

// Keys are fetched again when a token names one that is not known, and not for each such token.
func TestKeysAreRotated(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	old := map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "old", "x": base64.RawURLEncoding.EncodeToString(public)}
	next := map[string]string{"kty": "RSA", "kid": "new", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(rsaKey.N.Bytes())}
	var rotated atomic.Bool
	var fetched atomic.Int32
	jwks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		set := []any{old}
		if rotated.Load() {
			set = []any{next}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": set})
	}))
	t.Cleanup(jwks.Close)
	k, err := newKeyring(t.Context(), t.Context(), jwks.URL)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	k.now = func() time.Time { return now }
	who := newTokens(k, "https://id.example", "orders").who
	ask := func(s signer) error {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Authorization", strings.TrimPrefix(s.token(t, nil), "Authorization: "))
		_, err := who(r)
		return err
	}
	first, second := signer{jwt.SigningMethodEdDSA, private, "old"}, signer{jwt.SigningMethodRS256, rsaKey, "new"}
	if err := ask(first); err != nil {
		t.Error(err)
	}
	rotated.Store(true)
	for range 5 {
		var later *laterError
		if err := ask(second); !errors.As(err, &later) || later.after > jwksPause {
			t.Errorf("a key that may be new: %v", err)
		}
	}
	if n := fetched.Load(); n != 1 {
		t.Errorf("fetched %d times within the pause", n)
	}
	now = now.Add(jwksPause + time.Second)
	if err := ask(second); err != nil {
		t.Error(err)
	}
	if err := ask(first); !errors.As(err, new(*laterError)) || fetched.Load() != 2 {
		t.Errorf("a key that was taken back holds; fetched %d times", fetched.Load())
	}
	jwks.Close()
	now = now.Add(jwksMaxAge + time.Second)
	if err := ask(second); !errors.As(err, new(*laterError)) {
		t.Errorf("%v; keys that could not be fetched for long are used", err)
	}
}
