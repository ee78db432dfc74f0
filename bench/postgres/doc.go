// Package postgres measures the same transaction beside itself without deduplication, and beside the order that people write by hand, on a durable
// server of its own.
package postgres
