// Package faultproxy is a reverse proxy that misbehaves: package faults between a listener and an upstream elsewhere. It is what
// `onceward faults` runs; docs/faults.md is its manual.
//
//	client ─► limit ─► faults.Network ─► reverse proxy ─► upstream
package faultproxy
