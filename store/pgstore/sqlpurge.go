package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store"
)

// sqlPurger maintains the table through database/sql, with the statements of [Store]. They go out as texts, like those of [sqlSession].
type sqlPurger struct {
	db   *sql.DB
	sql  statements
	seen store.Latest // as [Store].last
	promised
}

// Purge is [Store.Purge].
func (p *sqlPurger) Purge(ctx context.Context, q store.PurgeRequest) (store.PurgeResult, error) {
	if err := q.Validate(); err != nil {
		return store.PurgeResult{}, err
	}
	return purge(ctx, p, q)
}

// Stats is [Store.Stats].
func (p *sqlPurger) Stats(ctx context.Context, service string) (store.Stats, error) {
	return count(ctx, p, &p.sql, &p.seen, service)
}

// QueryRow sends one of our own statements.
func (p *sqlPurger) QueryRow(ctx context.Context, text string, args ...any) pgx.Row {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return failedRow{err}
	}
	return connRow{sqlRow{conn.QueryRowContext(ctx, inline(text, args...), asText(conn)...)}, conn}
}

// asText keeps pgx from preparing a statement that is sent once.
func asText(conn *sql.Conn) []any {
	if (&sqlSession{conn: conn}).isPgx() {
		return []any{pgx.QueryExecModeExec}
	}
	return nil
}

func (p *sqlPurger) clock(ctx context.Context) (now store.Time, err error) {
	err = p.QueryRow(ctx, p.sql.clock, int64(p.seen.Newest())).Scan(&now)
	p.seen.See(now)
	return now, err
}

func (p *sqlPurger) unchanged(ctx context.Context) error { return p.sql.unchanged(ctx, p) }

func (p *sqlPurger) more(ctx context.Context, now store.Time) (more bool, err error) {
	err = p.QueryRow(ctx, p.sql.more, int64(now)).Scan(&more)
	return more, err
}

func (p *sqlPurger) forgetSome(ctx context.Context, now store.Time, limit int64) (int64, error) {
	result, err := p.db.ExecContext(ctx, inline(p.sql.forget, int64(now), limit))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (p *sqlPurger) ahead(ctx context.Context, now store.Time) error {
	if !p.sql.partitioned {
		return nil
	}
	return p.sql.madeAhead(ctx, p, now, p.forHowLong())
}

func (p *sqlPurger) purgeSome(ctx context.Context, now store.Time, limit int) (n int, err error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer func() {
		if err != nil { // the server rolls back what its client has left
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}()
	if _, err := conn.ExecContext(ctx, begin+"; "+inline(holdBriefly, defaultStall)); err != nil {
		return 0, err
	}
	all, err := p.remove(ctx, conn, now, limit)
	if err != nil {
		return 0, err
	}
	var text strings.Builder
	for _, l := range inLockOrder(all) {
		n += l.count
		if l.newest != 0 {
			text.WriteString(inline(lockOne, lockService, serviceLock(l.service)) + "; " + inline(p.sql.seal, []byte(l.service), int64(l.newest)) + "; ")
		}
	}
	_, err = conn.ExecContext(ctx, text.String()+commit)
	return n, err
}

func (p *sqlPurger) remove(ctx context.Context, conn *sql.Conn, now store.Time, limit int) (all []leaving, err error) {
	rows, err := conn.QueryContext(ctx, inline(inHex(p.sql.purge), int64(now), int64(limit)), asText(conn)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		l, err := scanLeaving(hexRow{rows})
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// connRow gives the connection back when it is read.
type connRow struct {
	sqlRow
	conn *sql.Conn
}

// Scan is database/sql's.
func (r connRow) Scan(to ...any) error {
	defer r.conn.Close()
	return r.sqlRow.Scan(to...)
}

// hexRow is a row whose bytes come as hexadecimal digits.
type hexRow struct{ row pgx.Row }

// Scan is pgx's.
func (r hexRow) Scan(to ...any) error { return r.row.Scan(fromHex(to)...) }

type failedRow struct{ err error }

// Scan fails.
func (r failedRow) Scan(...any) error { return r.err }
