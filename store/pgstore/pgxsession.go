package pgstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// pgxLink is the way by pgx: flights are batches.
type pgxLink struct {
	pool    *pgxpool.Pool
	own     transactSQL
	sql     statements
	schema  string
	timeout time.Duration // of a round trip, and for a connection
	commit  time.Duration // of the last flight, which may have to wait for standbys
}

func (l *pgxLink) size() int { return int(l.pool.Config().MaxConns) }

// pgxSession is a connection that has sent its first flight.
type pgxSession struct {
	link    *pgxLink
	conn    *pgxpool.Conn
	tx      *txRun
	from    origin
	values  context.Context
	stale   bool // its prepared statements are not what pgx believes
	dropped bool
}

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
	b.Queue(l.own.lock, inMillis(q.wait), inMillis(q.idle), idLock(q.who.ID)).QueryRow(func(r pgx.Row) error { return r.Scan(&f.waited, nil) })
	if q.after == (origin{}) {
		b.Queue(l.own.enterPacked, l.sql.at([]any{q.who.ID[:], []byte(q.who.Service)}, q.who.Stamp)...).Query(func(r pgx.Rows) error { return scanPacked(r, &f, &s.from) })
	} else {
		b.Queue(l.own.enter, l.sql.at(append([]any{q.who.ID[:], []byte(q.who.Service)}, q.after.args()...), q.who.Stamp)...).
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
	b.Queue(l.sql.insert, insertArgs(open)...)
	b.Queue(commit)
	return s.noticed(conn.SendBatch(ctx, &b).Close())
}

func (s *pgxSession) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, txKey{}, &tx{run: s.tx, inner: s.tx.inner})
}

func (s *pgxSession) end() { s.tx.end() }

func (s *pgxSession) origin() origin { return s.from }

func (s *pgxSession) state() (txState, error) {
	raw := s.conn.Conn().PgConn()
	switch {
	case s.tx.strayed(), raw.IsClosed(), raw.IsBusy(): // busy: somebody whom the function has left behind is using it
		return txLost, s.tx.cause()
	case raw.TxStatus() == 'E':
		return txAborted, s.tx.cause()
	case raw.TxStatus() != 'T':
		return txEnded, nil
	}
	return txOpen, nil
}

// flight sends a batch and hands its answers to read, one after another.
func (s *pgxSession) flight(limit time.Duration, b *pgx.Batch, read func(pgx.BatchResults) error) error {
	ctx, stop := context.WithTimeout(s.values, limit)
	defer stop()
	results := s.conn.SendBatch(ctx, b)
	err := read(results)
	if closing := results.Close(); err == nil {
		err = closing
	}
	return s.noticed(err)
}

// noticed marks a connection whose statements were deallocated, or outlived their tables: it would fail again, and is thrown away.
func (s *pgxSession) noticed(err error) error {
	if !isCode(err, noStatement, stalePlan) {
		return err
	}
	s.stale = true
	return fmt.Errorf("%w: %w", errStale, err)
}

func (s *pgxSession) finish(old, done store.Record, k keeping) error {
	var b pgx.Batch
	if old.State != store.Absent {
		b.Queue(s.link.sql.remove, s.link.sql.removeArgs(old)...)
	}
	b.Queue(s.link.own.finish, doneArgs(s.from.number, done, k)...)
	b.Queue(commit)
	return s.commit(&b)
}

// commit sends statements that COMMIT ends, and understands what comes back.
func (s *pgxSession) commit(b *pgx.Batch) error {
	var tag pgconn.CommandTag
	err := s.flight(s.link.commit, b, func(r pgx.BatchResults) (err error) {
		for range b.Len() {
			if tag, err = r.Exec(); err != nil {
				return err
			}
		}
		return nil
	})
	return s.link.understand(err, tag.String())
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

func (s *pgxSession) undo() (checked bool, err error) {
	state, _ := s.state()
	if state == txLost {
		return false, errCut
	}
	var b pgx.Batch
	if checked = state == txOpen; checked { // in an aborted transaction no question is allowed
		b.Queue(checkSame, s.from.number)
	}
	b.Queue("ROLLBACK")
	err = s.flight(s.link.timeout, &b, func(r pgx.BatchResults) error { return nil })
	return checked, s.link.understand(err, commit)
}

func (s *pgxSession) remember(q entry, old, done store.Record, k keeping) (f found, made bool, err error) {
	if old.State != store.Absent { // a record that is replaced: rare enough for a flight more
		return f, true, s.replace(q, old, done, k)
	}
	var b pgx.Batch
	b.BeginTx(pgx.TxOptions{IsoLevel: q.isolation, AccessMode: pgx.ReadWrite})
	b.Queue(s.link.own.lock, inMillis(q.wait), inMillis(q.idle), idLock(q.who.ID))
	b.Queue(s.link.own.remember, s.link.sql.at(append(doneArgs(millisDown(k.window), done, k), orNull(store.Time(s.from.number))), done.Stamp)...)
	b.Queue(commit)
	var tag pgconn.CommandTag
	err = s.flight(q.wait+s.link.commit, &b, func(r pgx.BatchResults) (err error) {
		for n := range b.Len() {
			if n == 2 {
				err = r.QueryRow().Scan(append(f.targets(), &made)...)
			} else {
				tag, err = r.Exec()
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return f, made, s.link.understand(err, tag.String())
}

func (s *pgxSession) replace(q entry, old, done store.Record, k keeping) error {
	s.drop() // first: the pool may have one connection only
	again, f, err := s.link.open(s.values, q)
	if err != nil {
		return err
	}
	defer again.drop()
	if f.committed {
		return ErrEnded
	}
	return again.finish(old, done, k)
}

// drop rolls back at leisure. A connection that will not be rolled back is closed, by the pool, and then the server does it.
func (s *pgxSession) drop() {
	if s.dropped {
		return
	}
	s.dropped = true
	if s.tx != nil && s.tx.strayed() {
		_ = s.conn.Hijack().PgConn().Conn().Close() // under the feet of who strays: nothing else may be touched
		return
	}
	switch raw := s.conn.Conn().PgConn(); {
	case raw.IsClosed():
	case raw.IsBusy(), s.stale:
		s.bounded(func(ctx context.Context) { _ = raw.Close(ctx) })
	case raw.TxStatus() != 'I':
		s.bounded(func(ctx context.Context) { _, _ = s.conn.Exec(ctx, "ROLLBACK") })
	}
	s.conn.Release()
}

func (s *pgxSession) bounded(do func(context.Context)) {
	ctx, stop := context.WithTimeout(s.values, s.link.timeout)
	defer stop()
	do(ctx)
}
