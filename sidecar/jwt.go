package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// keySource finds the public key that a token says it is signed with, or a [jwt.VerificationKeySet]. The empty id is for a token that does not say.
type keySource interface {
	key(ctx context.Context, id string) (any, error)
}

// leeway is by how much the issuer's clock may differ from ours.
const leeway = 30 * time.Second

// signatures are the algorithms that are accepted (RFC 7518 §3.1, RFC 8037): those whose verifying key is public. The library holds each to its kind of key.
var signatures = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// tokens verifies bearer tokens.
type tokens struct {
	keys   keySource
	issuer string
	parser *jwt.Parser
}

func newTokens(keys keySource, issuer, audience string) *tokens {
	return &tokens{keys: keys, issuer: issuer, parser: jwt.NewParser(
		jwt.WithValidMethods(signatures), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithLeeway(leeway),
	)}
}

// who is issuer and subject: they stay when a token is refreshed. There is one issuer, so that the two cannot be cut in another place.
func (t *tokens) who(r *http.Request) (string, error) {
	header, err := one(r.Header, "Authorization")
	if err != nil {
		return "", err
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errors.New("the Authorization header is not Bearer")
	}
	var claims jwt.RegisteredClaims
	_, err = t.parser.ParseWithClaims(strings.TrimSpace(token), &claims, func(parsed *jwt.Token) (any, error) {
		if _, critical := parsed.Header["crit"]; critical {
			return nil, errors.New("the token has a crit, which is for extensions that nobody here knows (RFC 7515 §4.1.11)")
		}
		id, _ := parsed.Header["kid"].(string)
		return t.keys.key(r.Context(), id)
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("the token does not hold: %w", err)
	case claims.Subject == "":
		return "", errors.New("the token has no sub")
	}
	return scopeJWT + ":" + t.issuer + " " + claims.Subject, nil
}
