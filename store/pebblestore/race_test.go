//go:build race

package pebblestore

// underRace leaves out what the race detector makes too slow and would learn nothing from.
const underRace = true
