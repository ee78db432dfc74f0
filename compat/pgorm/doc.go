// Package pgorm holds the tests of package pgstore's transactors with the libraries that business code talks to PostgreSQL with: code in the shape that
// sqlc generates, GORM, ent, and River as an outbox. It is a package of its own, for their sake it takes long to compile.
package pgorm
