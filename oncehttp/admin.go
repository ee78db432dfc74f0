package oncehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/onceward/onceward"
)

// Defaults of [AdminConfig].
const (
	DefaultAdminBody    = 2 << 20
	DefaultAdminTimeout = 10 * time.Second
)

// AdminConfig is the configuration of [Admin]. The zero value of each field means its default.
type AdminConfig struct {
	MaxBody int64         // bytes of a request's body, default 2 MiB; a reply to be kept is part of it
	Timeout time.Duration // default 10 s: bound of one request's work on the store
}

func (c AdminConfig) withDefaults() AdminConfig {
	if c.MaxBody == 0 {
		c.MaxBody = DefaultAdminBody
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultAdminTimeout
	}
	return c
}

// validate names every fault at once.
func (c AdminConfig) validate() error {
	var faults []error
	if c.MaxBody < 0 {
		faults = append(faults, fmt.Errorf("AdminConfig.MaxBody = %d: must be positive", c.MaxBody))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("AdminConfig.Timeout = %v: must be positive", c.Timeout))
	}
	if len(faults) == 0 {
		return nil
	}
	return &onceward.Error{Op: "admin", Err: onceward.ErrConfig, Cause: errors.Join(faults...)}
}

// Admin returns the API with which people and tools look at operations and settle those that nobody else can:
//
//	GET  /unknowns ?service &principal &cursor &limit                          operations whose outcome is unknown, the oldest first
//	GET  /records  ?class &service &principal &before &cursor &limit           records of a class; default: the unknown, then the open ones
//	GET  /keys     ?service &principal &key &reply=true, or ?id &reply=true    one operation with its audit trail
//	GET  /trail    ?id &cursor &limit                                          the audit trail
//	POST /resolve  {service, principal, key, version, happened, attested, reply, reason}   an unknown operation, for ever
//	POST /release  {service, principal, key, version, reason}                  a claim whose owner is gone and never started
//	POST /cancel   {service, principal, key, reason}                           what has not started: it will not run any more
//
// docs/operations.md has examples. Mount it under a path of its own with [http.StripPrefix].
//
// authorize says who asks: its actor stands in the audit trail, and nothing in a request can replace it. An error or an empty actor is
// answered with 403, whatever was asked for. It sees the whole request, so it may let somebody look and not decide. It is the only
// protection of all keys and replies in the store: serve Admin apart from the public routes.
//
// A decision takes effect at most once, because its version is a precondition: if the record has changed since it was looked at, the answer is 409 with the
// record as it is now. A POST must be application/json, which a foreign web page cannot send unasked. Tokens are never shown, a reply only where
// reply=true asks for it. Nothing may be cached. Refusals are application/problem+json.
//
// The handler is safe for concurrent use. It does not own guard.
func Admin(guard *onceward.Guard, authorize func(*http.Request) (actor string, err error), cfg AdminConfig) (http.Handler, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if guard == nil || authorize == nil {
		return nil, &onceward.Error{Op: "admin", Err: onceward.ErrConfig, Hint: "a guard and an authorize function are required; there is no admin API without authorisation"}
	}
	return &admin{guard: guard, authorize: authorize, cfg: cfg}, nil
}

type admin struct {
	guard     *onceward.Guard
	authorize func(*http.Request) (string, error)
	cfg       AdminConfig
}

// adminRoute serves one path. What it returns is written as JSON; an error as a problem.
type adminRoute struct {
	method string
	serve  func(a *admin, r *http.Request, actor string) (any, error)
}

var adminRoutes = map[string]adminRoute{
	"/unknowns": {http.MethodGet, (*admin).unknowns},
	"/records":  {http.MethodGet, (*admin).records},
	"/keys":     {http.MethodGet, (*admin).show},
	"/trail":    {http.MethodGet, (*admin).trail},
	"/resolve":  {http.MethodPost, (*admin).resolve},
	"/release":  {http.MethodPost, (*admin).release},
	"/cancel":   {http.MethodPost, (*admin).cancel},
}

// ServeHTTP asks who it is before anything else: a stranger does not even learn which routes there are.
func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	actor, err := a.authorize(r)
	if err != nil || strings.TrimSpace(actor) == "" {
		writeAdmin(w, 0, &adminError{status: http.StatusForbidden, detail: "the server does not let this caller administer operations"})
		return
	}
	route, ok := adminRoutes[r.URL.Path]
	switch {
	case !ok:
		writeAdmin(w, 0, &adminError{status: http.StatusNotFound, detail: "there is no such route"})
		return
	case r.Method != route.method && !(route.method == http.MethodGet && r.Method == http.MethodHead):
		w.Header().Set("Allow", route.method)
		writeAdmin(w, 0, &adminError{status: http.StatusMethodNotAllowed, detail: "this route takes " + route.method})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.cfg.Timeout)
	defer cancel()
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, a.cfg.MaxBody)
	}
	answer, err := route.serve(a, r.WithContext(ctx), actor)
	if err != nil {
		writeAdmin(w, 0, adminProblem(err))
		return
	}
	writeAdmin(w, http.StatusOK, answer)
}
