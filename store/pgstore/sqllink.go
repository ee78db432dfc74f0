package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store"
)

// sqlLink is the way by database/sql, which has no batches. Instead several statements go out as one text, without parameters: a flight each, also the
// first time. It answers the last statement only, so reading the record is a flight of its own, behind the lock's.
type sqlLink struct {
	texts
	enter string // in hexadecimal digits
	db    *sql.DB
}

// unbounded stands for a pool without a limit.
const unbounded = 1024

func (l *sqlLink) size() int {
	if n := l.db.Stats().MaxOpenConnections; n > 0 {
		return n
	}
	return unbounded
}

func (l *sqlLink) open(ctx context.Context, q entry) (session, found, error) {
	var f found
	acquiring, stop := context.WithTimeout(ctx, l.timeout)
	s, err := l.session(acquiring)
	stop()
	if err != nil {
		return nil, f, err
	}
	bounded, stop := context.WithTimeout(ctx, q.wait+l.timeout)
	defer stop()
	if _, err = s.conn.ExecContext(bounded, l.beginning(q)); err == nil {
		row := s.conn.QueryRowContext(bounded, inline(l.enter, l.sql.at(append([]any{q.who.ID[:], []byte(q.who.Service)}, q.after.args()...), q.who)...), asText(s.conn)...)
		err = row.Scan(fromHex(f.entered(&s.from))...)
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

// session takes a connection, for a transaction that begins now.
func (l *sqlLink) session(ctx context.Context) (*sqlSession, error) {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoConnection, err)
	}
	return &sqlSession{link: l, conn: conn, tx: &sqlRun{conn: conn}, values: context.WithoutCancel(ctx), open: true}, nil
}

func (l *sqlLink) hold(ctx context.Context, old, open store.Record) error {
	s, err := l.session(ctx)
	if err != nil {
		return err
	}
	defer s.drop()
	text := begin + "; "
	if old.State != store.Absent {
		text += inline(l.sql.remove, l.sql.removeArgs(old)...) + "; "
	}
	_, err = s.conn.ExecContext(ctx, text+inline(l.sql.inserting(old), insertArgs(open)...)+"; COMMIT")
	s.open = err != nil
	return err
}

// beginning is the text that begins a transaction and takes the lock.
func (l *sqlLink) beginning(q entry) string {
	return "BEGIN ISOLATION LEVEL " + string(q.isolation) + " READ WRITE; " + inline(l.own.lock, inMillis(q.wait), inMillis(q.idle), idLock(q.who.ID))
}

// bytesColumn is a column of bytes in what a statement answers.
var bytesColumn = regexp.MustCompile(`\br\.(id|token|fingerprint|service|principal|key|reply)\b`)

// inHex has a statement answer bytes as hexadecimal digits. Where it is not prepared they come as text: in the way that the session's bytea_output says, which not every driver reads.
func inHex(statement string) string {
	return bytesColumn.ReplaceAllString(statement, "encode($0, 'hex')")
}

// fromHex are targets for the answer of such a statement.
func fromHex(targets []any) []any {
	for i, target := range targets {
		if b, ok := target.(*[]byte); ok {
			targets[i] = &digits{b}
		}
	}
	return targets
}

type digits struct{ to *[]byte }

// Scan implements [sql.Scanner].
func (d *digits) Scan(from any) (err error) {
	switch text := from.(type) {
	case nil:
		*d.to = nil
	case string:
		*d.to, err = hex.DecodeString(text)
	case []byte:
		*d.to, err = hex.DecodeString(string(text))
	default:
		err = fmt.Errorf("pgstore: hexadecimal digits came as a %T", from)
	}
	return err
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
