package sidecar

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// ecKey makes a key and its entry in a JWKS.
func ecKey(t *testing.T, id string) (*ecdsa.PrivateKey, map[string]string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	entry := map[string]string{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])}
	if id != "" {
		entry["kid"] = id
	}
	return key, entry
}

func jwks(t *testing.T, keys ...map[string]string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func jwksFile(t *testing.T, keys ...map[string]string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(name, jwks(t, keys...), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Keys are fetched again behind the callers' backs, before they are too old: neither a slow fetch nor a failed one is noticed by who has a good token.
func TestKeysAreRenewedInTime(t *testing.T) {
	key, entry := ecKey(t, "one")
	k, err := newKeyring(t.Context(), t.Context(), jwksFile(t, entry))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	k.now = func() time.Time { return now }
	fetches, answer := 0, make(chan error)
	k.fetch = func(context.Context) ([]byte, error) {
		fetches++
		return jwks(t, entry), <-answer
	}
	token := strings.TrimPrefix(signer{jwt.SigningMethodES256, key, "one"}.token(t, nil), "Authorization: ")
	who := newTokens(k, "https://id.example", "orders").who
	good := func(when string) {
		t.Helper()
		for range 20 {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header.Set("Authorization", token)
			if _, err := who(r); err != nil {
				t.Fatalf("%s a good token is refused: %v", when, err)
			}
		}
	}
	good("with fresh keys")
	now = now.Add(jwksMaxAge/2 + time.Second)
	for round := range 2 {
		good("while keys are fetched")
		pending := k.refresh(false)
		if pending == nil {
			t.Fatalf("round %d: at half their age the keys are not fetched", round)
		}
		answer <- []error{errors.New("the issuer is away"), nil}[round]
		<-pending
		good("after a fetch")
		now = now.Add(jwksPause + time.Second)
	}
	if fetches != 2 {
		t.Errorf("fetched %d times, want 2", fetches)
	}
	now = now.Add(jwksMaxAge/2 - 2*jwksPause)
	good("with keys from the second fetch")
}

// What cannot be told now is not the last word: the client keeps its key and comes again.
func TestAKeyThatCannotBeLookedUpIsNoRefusal(t *testing.T) {
	key, entry := ecKey(t, "one")
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks(t, entry)) }))
	up := serving(t, nil)
	b := start(t, up.URL, withJWT(issuer.URL))
	issuer.Close()
	a := b.send("POST", "/", "x", "Idempotency-Key: k", signer{jwt.SigningMethodES256, key, "two"}.token(t, nil))
	b.expect(a, 503, "freed")
	if after := a.Header.Get("Retry-After"); after == "" || after == "0" {
		t.Errorf("Retry-After %q", after)
	}
	if n := len(up.arrived()); n != 0 {
		t.Errorf("%d arrived", n)
	}
	b.expect(b.send("POST", "/", "x", "Idempotency-Key: k", signer{jwt.SigningMethodES256, key, "one"}.token(t, nil)), 201, "saved")
}

// An issuer may have several keys without an id, or of one. Clocks differ a little. What a token calls critical has to be understood.
func TestTokensOfUnusualForm(t *testing.T) {
	first, one := ecKey(t, "")
	second, two := ecKey(t, "")
	b := start(t, serving(t, nil).URL, withJWT(jwksFile(t, one, two)))
	for i, key := range []*ecdsa.PrivateKey{first, second} {
		s := signer{method: jwt.SigningMethodES256, key: key}
		a := b.send("POST", "/", "x", "Idempotency-Key: k", s.token(t, func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(leeway / 2).Unix() }))
		b.expect(a, 201, "saved")
		if a.replayed() != (i == 1) {
			t.Errorf("key %d: replayed %v", i, a.replayed())
		}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": "https://id.example", "aud": "orders", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()})
	token.Header["crit"] = []string{"b64"}
	text, err := token.SignedString(first)
	if err != nil {
		t.Fatal(err)
	}
	if a := b.send("POST", "/", "x", "Idempotency-Key: k", "Authorization: Bearer "+text); !a.is(403) {
		t.Errorf("an unknown crit: %d", a.StatusCode)
	}
}

// Strangers whose tokens wait for the issuer take no places from who is known.
func TestStrangersTakeNoPlaces(t *testing.T) {
	key, entry := ecKey(t, "one")
	b := start(t, serving(t, nil).URL, func(c *Config) { withJWT(jwksFile(t, entry))(c); c.MaxInFlight = 1 })
	arrived, gate := make(chan struct{}), make(chan struct{})
	track := b.proxy.now.Load().rest
	track.known = known(func(r *http.Request) (string, error) {
		if r.Header.Get("X-Forged") == "" {
			return "alice", nil
		}
		arrived <- struct{}{}
		<-gate
		return "", &laterError{cause: errNoSuchKey, after: time.Second}
	}, func(*http.Request, error) {})
	token := signer{jwt.SigningMethodES256, key, "one"}.token(t, nil)
	forged := make(chan answer, 1)
	go func() { forged <- b.send("POST", "/", "x", "Idempotency-Key: f", "X-Forged: yes", token) }()
	<-arrived
	b.expect(b.send("POST", "/", "x", "Idempotency-Key: k", token), 201, "saved")
	close(gate)
	b.expect(<-forged, 503, "freed")
}

// The address of the keys may have a password or a token in it, which an error, and so the log of a reload, does not repeat.
func TestAJWKSAddressIsNotRepeated(t *testing.T) {
	away := httptest.NewServer(http.RedirectHandler("/hunter2?hunter2", http.StatusFound))
	t.Cleanup(away.Close)
	for _, at := range []string{"127.0.0.1:1", away.Listener.Addr().String()} {
		_, err := newKeyring(t.Context(), t.Context(), "http://u:hunter2@"+at+"/hunter2?token=hunter2")
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), at) {
			t.Error(err)
		}
	}
}
