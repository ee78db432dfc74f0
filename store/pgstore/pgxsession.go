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
	b.Queue(s.link.own.finishing(old), doneArgs(s.from.number, done, k)...)
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
	b.Queue(s.link.own.remember, s.link.sql.at(append(doneArgs(millisDown(k.window), done, k), orNull(store.Time(s.from.number))), done.Identity)...)
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
	again, _, err := s.link.open(s.values, q)
	if err != nil {
		return err
	}
	defer again.drop()
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
