package sidecar

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// issued are an issuer's public keys by id. Several may have the same one, or none (RFC 7517 §4.5).
type issued map[string][]jwt.VerificationKey

// find returns the key, or the set of those that come into question. A token without an id is signed with a key without one, or with the only key; where no
// key has an id, that of the token says nothing.
func (s issued) find(id string) (any, bool) {
	keys, ok := s[id]
	if !ok && len(s) == 1 {
		for only := range s {
			if id == "" || only == "" {
				keys, ok = s[only], true
			}
		}
	}
	if len(keys) == 1 {
		return keys[0], ok
	}
	return jwt.VerificationKeySet{Keys: keys}, ok
}

// add takes a key in, if it is of a kind that an accepted algorithm verifies with.
func (s issued) add(id string, key any) {
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		s[id] = append(s[id], key)
	}
}

// parseKeys reads a JWKS (RFC 7517 §5) or a public key in PEM. Keys that no accepted algorithm verifies with are left out; at least one must remain.
func parseKeys(text []byte) (issued, error) {
	keys := make(issued)
	if block, _ := pem.Decode(text); block != nil {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the PEM holds no public key: %w", err)
		}
		keys.add("", key)
	} else {
		var set jwkset.JWKSMarshal
		if err := json.Unmarshal(text, &set); err != nil {
			return nil, errors.New("neither a JWKS nor a public key in PEM")
		}
		for _, m := range set.Keys {
			if m.USE != "" && m.USE != "sig" {
				continue
			}
			if jwk, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{}); err == nil {
				keys.add(m.KID, jwk.Key())
			}
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key that verifies a signature")
	}
	return keys, nil
}
