package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

// pgxLink is the way by pgx: flights are batches.
type pgxLink struct {
	texts
	pool   *pgxpool.Pool
	schema string
}

func (l *pgxLink) size() int { return int(l.pool.Config().MaxConns) }

func (l *pgxLink) open(ctx context.Context, q entry) (session, found, error) {
	var f found
	acquiring, stop := context.WithTimeout(ctx, l.timeout)
	conn, err := l.pool.Acquire(acquiring)
	stop()
	if err != nil {
		return nil, f, fmt.Errorf("%w: %w", errNoConnection, err)
	}
	s := &pgxSession{link: l, conn: conn, values: context.WithoutCancel(ctx)}
	var b pgx.Batch
	b.BeginTx(pgx.TxOptions{IsoLevel: q.isolation, AccessMode: pgx.ReadWrite})
	b.Queue(l.own.lock, inMillis(q.wait), inMillis(q.idle), idLock(q.who.ID)).Query(func(r pgx.Rows) error { return scanFirst(r, &f.waited) })
	if q.after == (origin{}) {
		b.Queue(l.own.enterPacked, l.sql.at([]any{q.who.ID[:], []byte(q.who.Service)}, q.who)...).Query(func(r pgx.Rows) error { return scanPacked(r, &f, &s.from) })
	} else {
		b.Queue(l.own.enter, l.sql.at(append([]any{q.who.ID[:], []byte(q.who.Service)}, q.after.args()...), q.who)...).
			QueryRow(func(r pgx.Row) error { return r.Scan(f.entered(&s.from)...) })
	}
	bounded, stop := context.WithTimeout(ctx, q.wait+l.timeout)
	defer stop()
	results := conn.SendBatch(bounded, &b)
	if err := s.noticed(results.Close()); err != nil {
		if conn.Conn().IsClosed() {
			err = fmt.Errorf("%w: %w", errBroken, err)
		}
		s.drop()
		return nil, f, err
	}
	s.tx = &txRun{conn: conn.Conn(), inner: results.Tx()}
	return s, f, nil
}

// scanFirst reads the first column of one row.
func scanFirst(r pgx.Rows, to any) error {
	defer r.Close()
	if !r.Next() {
		return r.Err()
	}
	targets := make([]any, len(r.FieldDescriptions()))
	targets[0] = to
	return r.Scan(targets...)
}

// scanPacked reads the answer of [transactSQL].enterPacked.
func scanPacked(r pgx.Rows, f *found, from *origin) error {
	defer r.Close()
	if !r.Next() {
		return r.Err()
	}
	if err := r.Scan(&from.number, &from.began, &from.server, &f.now, &f.standby, &f.watermark, nil); err != nil {
		return err
	}
	f.until = -1
	return unpack(r, 6, &f.row)
}

func (l *pgxLink) hold(ctx context.Context, old, open store.Record) error {
	conn, err := l.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoConnection, err)
	}
	s := &pgxSession{link: l, conn: conn, values: context.WithoutCancel(ctx)}
	defer s.drop()
	var b pgx.Batch
	b.Queue(begin)
	if old.State != store.Absent {
		b.Queue(l.sql.remove, l.sql.removeArgs(old)...)
	}
	b.Queue(l.sql.inserting(old), insertArgs(open)...)
	b.Queue(commit)
	return s.noticed(conn.SendBatch(ctx, &b).Close())
}

// understand says what the end of a last flight means.
func (l *pgxLink) understand(err error, tag string) error {
	switch {
	case err == nil && tag != commit:
		return fmt.Errorf("pgstore: COMMIT was answered with %q", tag)
	case err == nil:
		return nil
	case isCode(err, oddSquareRoot):
		return fmt.Errorf("%w: %w", ErrEnded, err)
	case isTaken(err, l.schema):
		return fmt.Errorf("%w: %w", errTaken, err)
	case isLost(err):
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return err
}
