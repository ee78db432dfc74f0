package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// flight sends statements in one round trip. The first error ends it.
func flight(ctx context.Context, conn *pgxpool.Conn, queue func(*pgx.Batch)) error {
	var b pgx.Batch
	queue(&b)
	return conn.SendBatch(ctx, &b).Close() // which reads all answers
}

// with lends a connection and takes it back outside of a transaction, or broken, which the pool notices.
func (s *Store) with(ctx context.Context, use func(*pgxpool.Conn) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	err = use(conn)
	if raw := conn.Conn().PgConn(); err != nil && !raw.IsClosed() && raw.TxStatus() != 'I' {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_, _ = conn.Exec(bounded, "ROLLBACK") // if it fails, the pool closes the connection, and the server rolls back
	}
	return err
}

// transact sends statements as one transaction in one round trip.
func (s *Store) transact(ctx context.Context, queue func(*pgx.Batch)) error {
	return s.with(ctx, func(conn *pgxpool.Conn) error {
		return flight(ctx, conn, func(b *pgx.Batch) {
			b.Queue(begin)
			queue(b)
			b.Queue(commit)
		})
	})
}
