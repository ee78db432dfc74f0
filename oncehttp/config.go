package oncehttp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/onceward/onceward"
)

// ScopeFunc says for which service a request is guarded and who sends it. The service is a constant of the server; the principal is the
// identity that authentication has established, never a credential, which may be refreshed between two sends of one operation.
// An error, an empty service or an empty principal refuses the request.
type ScopeFunc func(*http.Request) (onceward.Scope, error)

// Principal returns the [ScopeFunc] of a service whose callers are told apart by who.
func Principal(service string, who func(*http.Request) (string, error)) ScopeFunc {
	return func(r *http.Request) (onceward.Scope, error) {
		name, err := who(r)
		return onceward.Scope{Service: service, Principal: name}, err
	}
}

// DefaultMaxBody is the default of [Config].MaxBody, in bytes.
const DefaultMaxBody = 1 << 20

// Config is the configuration of [Middleware]. The zero value of each field means its default.
type Config struct {
	Methods     []string                // default POST and PATCH, which HTTP does not call idempotent (RFC 9110 §9.2.2); other methods pass untouched
	KeyOptional bool                    // a request without a key passes untouched; default: it is refused with key-missing
	KeyField    string                  // a member of a JSON body that holds the key where the header is missing; default: none
	MaxBody     int64                   // bytes of a request's body, default 1 MiB: a keyed request is read whole before anything is claimed
	Statuses    map[int]onceward.Ending // what a status means on this route, where the default table is wrong for it
	DropHeaders []string                // headers of a reply that are not kept for replays, beside the default list
	KeepHeaders []string                // headers of the default list that are kept all the same

	// Refused hears of each request that is refused before the executor, and so the [onceward.Observer], has seen it: no key or a wrong one, no scope, a
	// body that is too long or broke off. problem is the name of a section of docs/problems.md; err has the cause, which the client is not told. Default: nobody.
	Refused func(r *http.Request, problem string, err error)
}

func (c Config) withDefaults() Config {
	if c.Methods == nil {
		c.Methods = []string{http.MethodPost, http.MethodPatch}
	}
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxBody
	}
	return c
}

// validate names every fault at once.
func (c Config) validate() error {
	var faults []error
	for _, m := range c.Methods {
		if m == "" || m != strings.ToUpper(m) {
			faults = append(faults, fmt.Errorf("Config.Methods has %q: methods are upper case", m))
		}
		if slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect}, m) {
			faults = append(faults, fmt.Errorf("Config.Methods has %s: a safe method changes nothing and needs no key", m))
		}
	}
	if c.MaxBody < 0 {
		faults = append(faults, fmt.Errorf("Config.MaxBody = %d: must be positive", c.MaxBody))
	}
	for status, e := range c.Statuses {
		if status < 200 || status > 599 {
			faults = append(faults, fmt.Errorf("Config.Statuses has %d: must be a final status, 200 to 599", status))
		}
		if e != onceward.EndSave && e != onceward.EndReject && e != onceward.EndFree && e != onceward.EndDoubt {
			faults = append(faults, fmt.Errorf("Config.Statuses[%d] = %d: must be EndSave, EndReject, EndFree or EndDoubt", status, e))
		}
	}
	for _, name := range c.KeepHeaders {
		if slices.Contains(framing, http.CanonicalHeaderKey(name)) {
			faults = append(faults, fmt.Errorf("Config.KeepHeaders has %s: it belongs to one message or one connection", name))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &onceward.Error{Op: "middleware", Err: onceward.ErrConfig, Cause: errors.Join(faults...)}
}
