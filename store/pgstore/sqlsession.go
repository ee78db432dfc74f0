package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/onceward/onceward/store"
)

// sqlLink is the way by database/sql, which has no batches. Instead several statements go out as one text, without parameters: a flight each, also the
// first time. It answers the last statement only, so reading the record is a flight of its own, behind the lock's.
type sqlLink struct {
	db      *sql.DB
	own     transactSQL
	sql     statements
	timeout time.Duration // of a round trip, and for a connection
	commit  time.Duration // of the last flight, which may have to wait for standbys
}

// unbounded stands for a pool without a limit.
const unbounded = 1024

func (l *sqlLink) size() int {
	if n := l.db.Stats().MaxOpenConnections; n > 0 {
		return n
	}
	return unbounded
}

// sqlSession is a connection that has sent its first flights.
type sqlSession struct {
	link   *sqlLink
	conn   *sql.Conn
	tx     *sqlRun
	from   origin
	values context.Context
	open   bool // a transaction, as far as we know
	gone   bool // given back
}

func (l *sqlLink) open(ctx context.Context, q entry) (session, found, error) {
	var f found
	acquiring, stop := context.WithTimeout(ctx, l.timeout)
	conn, err := l.db.Conn(acquiring)
	stop()
	if err != nil {
		return nil, f, fmt.Errorf("%w: %w", errNoConnection, err)
	}
	s := &sqlSession{link: l, conn: conn, values: context.WithoutCancel(ctx), open: true}
	s.tx = &sqlRun{conn: conn}
	bounded, stop := context.WithTimeout(ctx, q.wait+l.timeout)
	defer stop()
	if _, err = conn.ExecContext(bounded, l.beginning(q)); err == nil {
		var mode []any
		if s.isPgx() { // which would prepare it
			mode = append(mode, pgx.QueryExecModeSimpleProtocol)
		}
		row := conn.QueryRowContext(bounded, inline(l.own.enter, l.sql.at(append([]any{q.who.ID[:], []byte(q.who.Service)}, q.after.args()...), q.who.Stamp)...), mode...)
		err = row.Scan(f.entered(&s.from)...)
	}
	if err != nil {
		if state, _ := s.state(); state == txLost || errors.Is(err, driver.ErrBadConn) {
			err = fmt.Errorf("%w: %w", errBroken, err)
		}
		s.drop()
		return nil, f, err
	}
	return s, f, nil
}

func (l *sqlLink) hold(ctx context.Context, old, open store.Record) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoConnection, err)
	}
	s := &sqlSession{link: l, conn: conn, values: context.WithoutCancel(ctx), open: true}
	defer s.drop()
	text := begin + "; "
	if old.State != store.Absent {
		text += inline(l.sql.remove, l.sql.removeArgs(old)...) + "; "
	}
	_, err = conn.ExecContext(ctx, text+inline(l.sql.insert, insertArgs(open)...)+"; COMMIT")
	s.open = err != nil
	return err
}

// beginning is the text that begins a transaction and takes the lock.
func (l *sqlLink) beginning(q entry) string {
	return "BEGIN ISOLATION LEVEL " + string(q.isolation) + " READ WRITE; " + inline(l.own.lock, inMillis(q.wait), inMillis(q.idle), idLock(q.who.ID))
}

func (s *sqlSession) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, sqlKey{}, s.tx)
}

func (s *sqlSession) end() { s.tx.end() }

func (s *sqlSession) origin() origin { return s.from }

func (s *sqlSession) isPgx() (is bool) {
	_ = s.conn.Raw(func(c any) error {
		_, is = c.(*stdlib.Conn)
		return nil
	})
	return is
}

// state asks the driver, if it is pgx's. Another's says nothing: then an aborted or ended transaction shows in the last flight.
func (s *sqlSession) state() (txState, error) {
	if s.tx.strayed() {
		return txLost, s.tx.cause()
	}
	state := txOpen
	err := s.conn.Raw(func(c any) error {
		known, ok := c.(*stdlib.Conn)
		if !ok {
			return nil
		}
		switch raw := known.Conn().PgConn(); {
		case raw.IsClosed():
			state = txLost
		case raw.TxStatus() == 'E':
			state = txAborted
		case raw.TxStatus() != 'T':
			state = txEnded
		}
		return nil
	})
	if err != nil {
		state = txLost
	}
	return state, s.tx.cause()
}

// flight sends a text.
func (s *sqlSession) flight(limit time.Duration, text string) error {
	ctx, stop := context.WithTimeout(s.values, limit)
	defer stop()
	_, err := s.conn.ExecContext(ctx, text)
	switch {
	case err == nil:
		s.open = false // each of our texts ends with COMMIT or ROLLBACK
	case isCode(err, oddSquareRoot):
		return fmt.Errorf("%w: %w", ErrEnded, err)
	case isLost(err):
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return err
}

func (s *sqlSession) finish(old, done store.Record, k keeping) error {
	text := inline(s.link.own.finish, doneArgs(s.from.number, done, k)...) + "; COMMIT"
	if old.State != store.Absent {
		text = inline(s.link.sql.remove, s.link.sql.removeArgs(old)...) + "; " + text
	}
	return s.flight(s.link.commit, text)
}

func (s *sqlSession) undo() (checked bool, err error) {
	state, _ := s.state()
	switch state {
	case txLost:
		return false, errCut
	case txAborted: // no question is allowed
		return false, s.flight(s.link.timeout, "ROLLBACK")
	default:
		err = s.flight(s.link.timeout, inline(checkSame, s.from.number)+"; ROLLBACK")
	}
	if isCode(err, abortedTx) { // a driver that did not tell
		return false, s.flight(s.link.timeout, "ROLLBACK")
	}
	return true, err
}

func (s *sqlSession) remember(q entry, old, done store.Record, k keeping) (f found, made bool, err error) {
	if old.State != store.Absent { // a record that is replaced: rare enough for flights more
		s.drop() // first: the pool may have one connection only
		again, f, err := s.link.open(s.values, q)
		if err != nil {
			return f, false, err
		}
		defer again.drop()
		if f.committed {
			return f, false, ErrEnded
		}
		return f, true, again.finish(old, done, k)
	}
	s.open = true
	err = s.flight(q.wait+s.link.commit, s.link.beginning(q)+"; "+inline(s.link.own.rememberOrRaise, s.link.sql.at(append(doneArgs(millisDown(k.window), done, k), orNull(store.Time(s.from.number))), done.Stamp)...)+"; COMMIT")
	return f, err == nil, err
}

// drop rolls back at leisure. A connection that will not be rolled back is closed, and then the server does it.
func (s *sqlSession) drop() {
	if s.gone {
		return
	}
	s.gone = true
	switch {
	case s.tx != nil && s.tx.strayed():
		_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	case s.open:
		ctx, stop := context.WithTimeout(s.values, s.link.timeout)
		defer stop()
		if _, err := s.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
			_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}
	_ = s.conn.Close()
}

// sqlQuerier lets [examine] ask through database/sql.
type sqlQuerier struct{ db *sql.DB }

func (q sqlQuerier) QueryRow(ctx context.Context, text string, args ...any) pgx.Row {
	return sqlRow{q.db.QueryRowContext(ctx, text, args...)}
}

type sqlRow struct{ *sql.Row }

func (r sqlRow) Scan(to ...any) error {
	err := r.Row.Scan(to...)
	if errors.Is(err, sql.ErrNoRows) {
		return pgx.ErrNoRows
	}
	return err
}
