// Package pgstore keeps the deduplication table in PostgreSQL.
package pgstore
