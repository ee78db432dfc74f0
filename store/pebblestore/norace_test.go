//go:build !race

package pebblestore

const underRace = false
