// Package contract is the server side of what package behave asks of its targets, for targets in Go: the ledger that does not deduplicate, the
// gates that hold a handler, the script that a request carries. README.md of package behave has the contract for other languages.
package contract
