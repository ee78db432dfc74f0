package pgtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Database makes an empty database and returns its URL. Databases go with the server.
func (s *Server) Database(ctx context.Context) (url string, err error) {
	return s.Clone(ctx, "template1")
}

// Clone makes a copy of a database, to which nobody may be connected, and returns its URL.
func (s *Server) Clone(ctx context.Context, template string) (url string, err error) {
	s.mu.Lock()
	s.databases++
	name := fmt.Sprintf("test%d", s.databases)
	s.mu.Unlock()
	if err := s.Exec(ctx, "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, pgx.Identifier{template}.Sanitize())); err != nil {
		return "", err
	}
	return s.URL(name), nil
}

// Exec runs SQL, several statements perhaps, in a database as superuser.
func (s *Server) Exec(ctx context.Context, database, sql string) error {
	conn, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		return err
	}
	_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}
