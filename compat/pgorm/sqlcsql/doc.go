// Package sqlcsql is written by hand in the shape of the code that sqlc generates for database/sql.
package sqlcsql
