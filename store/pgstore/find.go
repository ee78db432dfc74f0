package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/onceward/onceward/store"
)

var _ store.Finder = (*Store)(nil)

// findStatement reads a name by the primary key.
const findStatement = `SELECT service, principal, key, stamp FROM {schema}.records WHERE id = $1::bytea`

// Find implements [store.Finder].
func (s *Store) Find(ctx context.Context, id store.ID) (store.Identity, error) {
	if err := s.over(ctx); err != nil {
		return store.Identity{}, err
	}
	var service, principal, key []byte
	var stamp zeronull.Int8
	err := s.pool.QueryRow(ctx, s.sql.find, id[:]).Scan(&service, &principal, &key, &stamp)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return store.Identity{}, nil
	case err != nil:
		return store.Identity{}, failed("find", err)
	}
	return store.Identity{ID: id, Service: string(service), Principal: string(principal), Key: string(key), Stamp: store.Time(stamp)}, nil
}
