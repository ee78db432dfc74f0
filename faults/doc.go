// Package faults is a network for HTTP that misbehaves on purpose: it loses requests, loses replies after the work is done, cuts
// them, resets connections, hangs, delivers requests twice, and delays. It wraps any http.Handler: a server in a test, or an httputil.ReverseProxy.
//
//	client ─► duplicate ─► delay ─► lose-request | lose-reply | cut-reply | reset | hang ─► upstream
//
// A proxy below HTTP can only cut bytes. This one knows what a request is, so it can let the upstream finish its work
// and lose the reply then: the fault that makes a client send again what has already happened.
//
// Every decision is a hash of the seed, the request's identity, how often that identity has arrived, and the fault's name. So the
// same seed and the same requests give the same set of events, whatever the order in which goroutines run.
//
// An exchange is aborted by panicking with http.ErrAbortHandler, which net/http turns into a closed connection (HTTP/1) or a
// reset stream (HTTP/2). So a Network stands outside of every middleware that recovers.
//
// To add a fault, add a file: a constructor that returns a [Fault], and the handler that strikes.
package faults
