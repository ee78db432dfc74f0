package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/onceward/onceward/store"
)

// sqlSession is a connection that has sent its first flights.
type sqlSession struct {
	link   *sqlLink
	conn   *sql.Conn
	tx     *sqlRun
	from   origin
	values context.Context
	stop   context.CancelFunc // ends the function's context
	open   bool               // a transaction, as far as we know
	gone   bool               // given back
}

func (s *sqlSession) context(ctx context.Context) context.Context {
	ctx, s.stop = context.WithCancel(context.WithValue(ctx, sqlKey{}, s.tx))
	return ctx
}

// end ends the function's context as well: for database/sql does not give a connection back before rows of statements that the function has prepared are closed.
func (s *sqlSession) end() {
	s.tx.gate.end()
	s.stop()
	s.tx.close()
}

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
	state, cause := txOpen, s.tx.cause()
	if s.tx.strayed() {
		return txLost, cause
	}
	err := s.conn.Raw(func(c any) error {
		known, ok := c.(*stdlib.Conn)
		if !ok {
			return nil
		}
		switch raw := known.Conn().PgConn(); {
		case raw.IsClosed():
			state = txLost
		case raw.IsBusy():
			state, cause = txLost, errLeftOpen
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
	return state, cause
}

var errLeftOpen = errors.New("pgstore: the function has left rows open of a statement that it had prepared")

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
	case isTaken(err, s.link.sql.schema):
		return fmt.Errorf("%w: %w", errTaken, err)
	case isLost(err):
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return err
}

func (s *sqlSession) finish(old, done store.Record, k keeping) error {
	text := inline(s.link.own.finishing(old), doneArgs(s.from.number, done, k)...) + "; COMMIT"
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
		return f, true, again.finish(old, done, k)
	}
	s.open = true
	err = s.flight(q.wait+s.link.commit, s.link.beginning(q)+"; "+inline(s.link.own.rememberOrRaise, s.link.sql.at(append(doneArgs(millisDown(k.window), done, k), orNull(store.Time(s.from.number))), done.Identity)...)+"; COMMIT")
	return f, err == nil, err
}

// drop rolls back at leisure. A connection that will not be rolled back is closed, and then the server does it.
func (s *sqlSession) drop() {
	if s.gone {
		return
	}
	s.gone = true
	if state, _ := s.state(); state == txLost || s.open && s.rollback() != nil {
		s.cutOff()
		return
	}
	_ = s.conn.Close()
}

func (s *sqlSession) rollback() error {
	ctx, stop := context.WithTimeout(s.values, s.link.timeout)
	defer stop()
	_, err := s.conn.ExecContext(ctx, "ROLLBACK")
	return err
}

// cutOff closes the connection under the feet of whoever uses it. Nobody waits until database/sql has it back, for it waits for rows that were left open.
func (s *sqlSession) cutOff() {
	_ = s.conn.Raw(func(c any) error {
		if raw, ok := c.(driver.Conn); ok {
			_ = raw.Close()
		}
		return nil
	})
	go func() { _ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) }()
}
