// Package sidecar is a reverse proxy that makes the writes of a service in any language safe to retry.
//
// A request with an Idempotency-Key goes through [oncehttp.Middleware]: the upstream gets it once, its reply is saved whole, and each retry is
// given that reply. Everything else streams through untouched. docs/proxy.md is the manual.
//
// A replay is answered here: it does not pass the upstream's own authorisation.
package sidecar
