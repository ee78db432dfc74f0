package sidecar

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/onceward/onceward/oncehttp"
)

// Kinds of a scope. A principal begins with its kind, so that those of two kinds never meet.
const (
	scopeHeader = "header:"
	scopeJWT    = "jwt"
	scopeBasic  = "basic"
	scopeCert   = "cert"
	scopeGlobal = "global"

	anonymous = "anonymous"
)

// credentials are headers that hold a secret. A scope made of one needs a promise that it never changes, and keeps its hash only.
var credentials = []string{"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key"}

// errNobody: the request does not say who calls.
var errNobody = errors.New("the request does not say who calls")

// whoFunc finds out who calls. It returns errNobody if the request says nothing, and another error if what it says does not hold.
type whoFunc func(*http.Request) (string, error)

func (c Config) validateScope() error {
	name, isHeader := strings.CutPrefix(c.Scope, scopeHeader)
	credential := slices.Contains(credentials, http.CanonicalHeaderKey(name))
	switch {
	case c.Scope == "":
		return errors.New("scope is missing: say who calls by header:NAME, jwt, basic or cert, or that all callers are one by global")
	case isHeader && !ownHeader(name):
		return fmt.Errorf("scope is %q: that is no name of a header, or one with a meaning of its own", c.Scope)
	case isHeader && credential && !c.ScopeIsStable:
		return fmt.Errorf("scope is %q, which is refreshed where it holds a token: the retry after a refresh would be another caller's, and run again. "+
			"Use jwt, basic or a header with the user's name; scope-is-stable if it never changes", c.Scope)
	case isHeader && !credential && len(c.TrustedPeers) == 0:
		return fmt.Errorf("scope is %q, and nobody may set that header: trusted-peers is empty", c.Scope)
	case c.Scope == scopeJWT && (c.JWTKeys == "" || c.JWTIssuer == "" || c.JWTAudience == ""):
		return errors.New("scope is jwt: jwt-keys, jwt-issuer and jwt-audience are required, or anybody could write a token")
	case c.Scope == scopeCert && c.ClientCA == "":
		return errors.New("scope is cert: client-ca is required, or anybody could write a certificate")
	case !isHeader && !slices.Contains([]string{scopeJWT, scopeBasic, scopeCert, scopeGlobal}, c.Scope):
		return fmt.Errorf("scope is %q: use header:NAME, jwt, basic, cert or global", c.Scope)
	case c.Scope != scopeJWT && c.JWTKeys+c.JWTIssuer+c.JWTAudience != "":
		return fmt.Errorf("jwt-keys, jwt-issuer and jwt-audience are for scope jwt, and scope is %q", c.Scope)
	}
	return nil
}

// who builds the scope. keys is what jwt looks for keys in.
func (c Config) who(trusted peers, keys keySource) whoFunc {
	var who whoFunc
	switch c.Scope {
	case scopeGlobal:
		return func(*http.Request) (string, error) { return scopeGlobal, nil }
	case scopeJWT:
		who = newTokens(keys, c.JWTIssuer, c.JWTAudience).who
	case scopeBasic:
		who = whoBasic
	case scopeCert:
		who = whoCert
	default:
		name := http.CanonicalHeaderKey(strings.TrimPrefix(c.Scope, scopeHeader))
		who = whoHeader(name, trusted)
		if slices.Contains(credentials, name) {
			who = whoCredential(name)
		}
	}
	if !c.AllowAnonymous {
		return who
	}
	return func(r *http.Request) (string, error) {
		name, err := who(r)
		if errors.Is(err, errNobody) {
			return anonymous, nil
		}
		return name, err
	}
}

// one is the header's only value.
func one(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) > 1 {
		return "", fmt.Errorf("%d %s headers: somebody in front adds a second one", len(values), name)
	}
	if len(values) == 0 || strings.TrimSpace(values[0]) == "" {
		return "", errNobody
	}
	return strings.TrimSpace(values[0]), nil
}

// whoHeader reads a header that a gateway has set. From elsewhere it says nothing but that somebody wants to be taken for another.
func whoHeader(name string, trusted peers) whoFunc {
	return func(r *http.Request) (string, error) {
		value, err := one(r.Header, name)
		if err == nil && !trusted.trust(r) {
			return "", fmt.Errorf("%s comes from a peer that is not in trusted-peers", name)
		}
		return scopeHeader + value, err
	}
}

// whoCredential is for a secret that never changes. It does not get into the store.
func whoCredential(name string) whoFunc {
	return func(r *http.Request) (string, error) {
		value, err := one(r.Header, name)
		sum := sha256.Sum256([]byte(value))
		return "sha256:" + hex.EncodeToString(sum[:]), err
	}
}

// whoBasic reads the name. The password is the upstream's to check (RFC 7617): it may be changed between two sends.
func whoBasic(r *http.Request) (string, error) {
	if _, err := one(r.Header, "Authorization"); err != nil {
		return "", err
	}
	name, _, ok := r.BasicAuth()
	if !ok || name == "" {
		return "", errors.New("the Authorization header is not Basic, or has no name")
	}
	return scopeBasic + ":" + name, nil
}

// whoCert reads the name off a certificate that the listener has verified: its only URI (SPIFFE), else its subject. Neither
// serial number nor key, which change when it is renewed.
func whoCert(r *http.Request) (string, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return "", errNobody
	}
	leaf := r.TLS.VerifiedChains[0][0]
	if len(leaf.URIs) == 1 {
		return scopeCert + ":" + leaf.URIs[0].String(), nil
	}
	if subject := leaf.Subject.String(); subject != "" {
		return scopeCert + ":" + subject, nil
	}
	return "", errors.New("the client's certificate has neither one URI nor a subject")
}

// scopeHeader is the header that says who calls, if one does.
func (c Config) scopeHeader() (name string, isHeader bool) {
	if name, isHeader = strings.CutPrefix(c.Scope, scopeHeader); !isHeader {
		return "", false
	}
	return name, true
}

// dropForeignScope takes off a header that names the caller if it does not come from a gateway: the upstream must not believe
// it because the proxy passes it on. Other spellings of its name are nobody's.
func (c Config) dropForeignScope(h http.Header, in *http.Request, trusted peers) {
	name, isHeader := c.scopeHeader()
	if !isHeader || slices.Contains(credentials, http.CanonicalHeaderKey(name)) {
		return
	}
	own := h[http.CanonicalHeaderKey(name)]
	dropSpellings(h, name)
	if own != nil && trusted.trust(in) {
		h[http.CanonicalHeaderKey(name)] = own
	}
}

// spelling is a header's name as CGI, WSGI and PHP have it, to some of which all but letters and digits is one.
func spelling(name string) string {
	return http.CanonicalHeaderKey(strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '-'
	}, name))
}

// dropSpellings takes off every header that CGI and WSGI take for the one of this name.
func dropSpellings(h http.Header, name string) {
	name = spelling(name)
	for other := range h {
		if len(other) == len(name) && spelling(other) == name { // all spellings are as long
			delete(h, other)
		}
	}
}

// putBack gives the upstream what a client's Connection header has taken away: what the proxy has gone by.
func (c Config) putBack(out, in http.Header) {
	names := []string{oncehttp.HeaderKey, "Authorization"}
	if name, isHeader := c.scopeHeader(); isHeader {
		names = append(names, http.CanonicalHeaderKey(name))
	}
	for _, name := range names {
		if values, ok := in[name]; ok {
			out[name] = values
		}
	}
}
