package sidecar

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
)

// How a JWKS is fetched.
const (
	jwksMaxAge  = 10 * time.Minute // a key that the issuer takes back is not accepted for longer than this
	jwksPause   = 30 * time.Second // between two fetches, whatever ids tokens name
	jwksTimeout = 10 * time.Second
	jwksMost    = 1 << 20 // bytes
)

// keyring holds the issuer's keys. Safe for concurrent use.
type keyring struct {
	fetch func(context.Context) ([]byte, error) // nil: the keys do not change
	now   func() time.Time

	mu    sync.Mutex
	keys  map[string]crypto.PublicKey
	at    time.Time // of the last good fetch
	tried time.Time
}

// newKeyring reads the keys for the first time; without one there is no keyring.
func newKeyring(ctx context.Context, where string) (*keyring, error) {
	k := &keyring{now: time.Now}
	read := func(context.Context) ([]byte, error) { return os.ReadFile(where) }
	if u, err := url.Parse(where); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		if ip, err := netip.ParseAddr(u.Hostname()); u.Scheme == "http" && (err != nil || !ip.IsLoopback()) {
			return nil, errors.New("jwt-keys is http://, where anybody on the way could put keys of their own: use https://")
		}
		read = func(ctx context.Context) ([]byte, error) { return fetchJWKS(ctx, where) }
		k.fetch = read
	}
	text, err := read(ctx)
	if err == nil {
		k.keys, err = parseKeys(text)
	}
	if err != nil {
		return nil, fmt.Errorf("jwt-keys %s: %w", where, err)
	}
	k.at, k.tried = k.now(), k.now()
	return k, nil
}

// key implements [keySource]. An id that is not known may be a new one: the keys are fetched, but not more often than jwksPause. Nobody else waits.
func (k *keyring) key(ctx context.Context, id string) (crypto.PublicKey, error) {
	found, err := k.look(id)
	if err == nil || !k.takeTurn() {
		return found, err
	}
	text, err := k.fetch(context.WithoutCancel(ctx))
	if err != nil {
		return k.look(id)
	}
	if keys, err := parseKeys(text); err == nil {
		k.mu.Lock()
		k.keys, k.at = keys, k.now()
		k.mu.Unlock()
	}
	return k.look(id)
}

var (
	errNoSuchKey = errors.New("no key of this id")
	errKeysOld   = errors.New("the keys are too old, and cannot be fetched again")
)

func (k *keyring) look(id string) (crypto.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok := k.find(id)
	switch {
	case k.fetch != nil && k.now().Sub(k.at) > jwksMaxAge:
		return nil, errKeysOld
	case !ok:
		return nil, errNoSuchKey
	}
	return found, nil
}

// takeTurn reports whether the caller is to fetch.
func (k *keyring) takeTurn() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fetch == nil || k.now().Sub(k.tried) <= jwksPause {
		return false
	}
	k.tried = k.now()
	return true
}

// find looks a key up. A token without an id is signed with the only key.
func (k *keyring) find(id string) (crypto.PublicKey, bool) {
	if id == "" || len(k.keys) == 1 && k.keys[""] != nil {
		if len(k.keys) != 1 {
			return nil, false
		}
		for _, key := range k.keys {
			return key, true
		}
	}
	key, ok := k.keys[id]
	return key, ok
}

func fetchJWKS(ctx context.Context, where string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, jwksTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, jwksMost))
}

// parseKeys reads a JWKS (RFC 7517 §5) or a public key in PEM. Keys that no accepted algorithm verifies with are left out; at least one must remain.
func parseKeys(text []byte) (map[string]crypto.PublicKey, error) {
	if block, _ := pem.Decode(text); block != nil {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the PEM holds no public key: %w", err)
		}
		return map[string]crypto.PublicKey{"": key}, nil
	}
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("neither a JWKS nor a public key in PEM")
	}
	keys := make(map[string]crypto.PublicKey)
	for _, m := range set.Keys {
		if m.USE != "" && m.USE != "sig" {
			continue
		}
		jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
		if err != nil {
			continue
		}
		switch key := jwk.Key().(type) {
		case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
			keys[m.KID] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key that verifies a signature")
	}
	return keys, nil
}
