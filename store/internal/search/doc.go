// Package search holds only tests: a breadth-first search through every interleaving of three copies of one request, over the
// transitions of package store themselves, not over a model of them.
//
// The world (world_test.go) has servers that crash and stall at any point, a store whose answers get lost and to which messages come
// late, a clock, a purge, an operator who settles what is unknown, and a client who cancels and who sends again under a new key when
// it was told that this is safe. The properties (property_test.go) are counted per intent, that is over both keys.
//
// A search that finds nothing proves something only if it can see: naive_test.go replaces one rule at a time by a mistake that real
// systems make, and the search must find the shortest history that goes wrong. `go test -v` prints those histories.
package search
