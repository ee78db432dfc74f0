// Package redis measures operations on a Redis of its own beside the bare commands that they consist of, and beside the order that people write by hand.
package redis
