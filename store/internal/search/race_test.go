//go:build race

package search

// underRace keeps the search of the real protocol to its first steps: it has one goroutine, in which there is no race to find.
const underRace = true
