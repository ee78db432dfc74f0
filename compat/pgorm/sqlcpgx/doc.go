// Package sqlcpgx is written by hand in the shape of the code that sqlc generates for pgx.
package sqlcpgx
