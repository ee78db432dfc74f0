//go:generate go run ./cmd/behave -write ../..

// Package behave tests what a server with idempotency keys does, from outside and over real sockets. It runs against any base URL whose server
// offers the routes of the contract in README.md, in any language.
//
// A [Case] is one sentence about what a correct server does, and a check. Cases of the kind Counts are behaviour that every client relies on and pass
// for every reasonable answer; Tells report what a server does where several answers are right; Protocol are onceward's own and are run at onceward only.
package behave
