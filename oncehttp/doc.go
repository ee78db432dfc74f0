// Package oncehttp speaks the protocol over HTTP: [Middleware] for servers, [Client] for clients.
//
// A client sends each operation with one Idempotency-Key until it knows its fate; a server carries it out once and gives the same reply to
// each send. docs/protocol.md describes what goes over the wire, docs/problems.md each refusal.
package oncehttp
