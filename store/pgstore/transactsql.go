package pgstore

import (
	"strings"
	"time"

	"github.com/onceward/onceward/store"
)

// transactSQL is the SQL of transactions, beside [statements], with schema and clock filled in.
type transactSQL struct{ lock, enter, enterPacked, finish, finishAnew, remember, rememberOrRaise string }

const (
	// lockRecord takes the lock, and bounds the wait for it where there is one: it answers whether it has waited. It is a statement of its own: the one that
	// reads must begin, and take its snapshot, after the wait. A lock that is free needs no bound, and a waiter cannot be overtaken: who asks for a lock
	// that others wait for does not get it. A server's own bound on idle transactions is left alone.
	lockRecord = `SELECT CASE WHEN pg_try_advisory_xact_lock($3::bigint) THEN false ELSE {schema}.await_lock($3::bigint, $1::text) END,
	CASE current_setting('idle_in_transaction_session_timeout') WHEN '0' THEN set_config('idle_in_transaction_session_timeout', $2::text, true) END`

	// sameTransaction raises (2201F) where the transaction's number is not that of the transaction which took the lock. Measured against a savepoint
	// that would be gone: it costs no subtransaction, and nothing on the wire.
	sameTransaction = `sqrt(CASE WHEN pg_current_xact_id_if_assigned()::text::bigint = $1::bigint THEN 1::float8 ELSE -1::float8 END) > 0`

	// assigned is the transaction's number, assigned only where the function will run.
	assigned = `CASE WHEN r.state IS DISTINCT FROM 3 AND NOT pg_is_in_recovery() THEN pg_current_xact_id()::text::bigint ELSE 0 END`

	// originColumns are what, beside its number, tells a transaction from others: when it began, and when the server did. They are numbers, for a session's
	// datestyle may be any; a float8 may be off by a microsecond, and always in the same way.
	originColumns = `floor(date_part('epoch', now()) * 1000000)::bigint, floor(date_part('epoch', pg_postmaster_start_time()) * 1000000)::bigint`

	// sameServer says whether the server has neither been another, nor crashed, since a transaction: then it gives numbers anew that it had given to
	// transactions which left no trace. After a crash its statistics begin anew as well.
	sameServer = `floor(date_part('epoch', pg_postmaster_start_time()) * 1000000)::bigint = $5::bigint
	AND coalesce(floor(date_part('epoch', pg_stat_get_bgwriter_stat_reset_time()) * 1000000)::bigint, 0) < $4::bigint`

	// wasCommitted says whether a transaction was. A number that the server has not given yet is another server's.
	wasCommitted = `coalesce(CASE WHEN {n}::bigint::text::xid8 < pg_snapshot_xmax(pg_current_snapshot()) THEN pg_xact_status({n}::bigint::text::xid8) END, '') = 'committed'`

	checkSame = "SELECT " + sameTransaction
)

func newTransactSQL(schema, clock string, l layout) transactSQL {
	const columns = `{bucket}id, service, token, principal, key, stamp, hint, fingerprint_version, fingerprint, policy, state,
		first_seen, version, claims, ended, doubted, safe_new_key, done_at, purge_at, reply`
	const values = `{bucket $7}$2::bytea, $3::bytea, $4::bytea, $5::bytea, $6::bytea, $7::bigint, $8::bigint, $9::smallint, $10::bytea, $11::smallint, 3,
		$12::bigint, $13::bigint, $14::int, $15::smallint, $16::boolean, false, env.now, greatest($7::bigint, env.now) + $17::bigint + $18::bigint, $19::bytea`
	const finish = `WITH made AS (
	INSERT INTO {schema}.records ({columns})
	SELECT {values} FROM (SELECT {clock} AS now WHERE {same}) AS env
	RETURNING 1
) SELECT 1 / coalesce((SELECT * FROM made), 0)`
	committed := func(n string) string { return strings.ReplaceAll(wasCommitted, "{n}", n) }
	names := strings.NewReplacer("{schema}", schema, "{clock}", clock, "{same}", sameTransaction, "{columns}", l.fit(columns), "{values}", l.fit(values), "{number}", assigned,
		"{record}", recordColumns, "{origin}", originColumns, "{committed}", "CASE WHEN $3::bigint IS NULL THEN false ELSE coalesce("+sameServer+", false) AND "+committed("$3")+" END", "{committed before}", committed("$20"))
	fill := func(statement string) string { return names.Replace(l.fit(statement)) }
	// The answer of a function that was rolled back: admitted anew, for time has passed, and not if the function has committed by itself, which an aborted
	// transaction does not tell. Whoever is there already becomes the answer.
	remember := fill(`WITH env AS MATERIALIZED (
	SELECT {clock} AS now, {watermark $3} AS watermark
), made AS (
	INSERT INTO {schema}.records ({columns})
	SELECT {values} FROM env
	WHERE ($7::bigint IS NULL OR $7::bigint > watermark AND $7::bigint BETWEEN now - $1::bigint AND now + $18::bigint)
		AND NOT EXISTS (SELECT FROM {schema}.records WHERE {record $2 $21})
		AND NOT {committed before}
	ON CONFLICT ON CONSTRAINT records_pkey DO NOTHING
	RETURNING true
)
`)
	return transactSQL{
		lock: fill(lockRecord + "{generic}"), // before enterPacked

		// All that decides, in one snapshot: nobody sees a record purged and the watermark below it. $3 to $5 are a transaction of which is asked what became
		// of it, or NULL: whoever asks will not run.
		enter: fill(`SELECT coalesce(current_setting('record_lock.waited', true) = 'yes', false), CASE WHEN $3::bigint IS NULL THEN {number} ELSE 0 END, {origin}, {committed},
	{clock}, pg_is_in_recovery(), {watermark $2}, -1::bigint, {record} r.reply
FROM (SELECT) AS always LEFT JOIN {schema}.records r ON {record $1 $6}`),

		// The same for one who asks of no transaction, with the row as one value, NULL where there is none: a third of the time, for what is usually absent. It
		// is a ROW, whose type every client knows: the table's own type would come as text.
		enterPacked: fill(`SELECT {number}, {origin}, {clock}, {planned standby},
	{watermark $2}, CASE WHEN r.id IS NOT NULL THEN ROW(r.*) END
FROM (SELECT) AS always LEFT JOIN {schema}.records r ON {record $1 $3}`),

		// COMMIT is on its way behind it, so it raises (22012) unless it writes exactly one row: with none the effect would be committed, and its
		// record not. The time is the server's at this moment; now() would be that of the transaction's beginning. A sum over the rows
		// would take a tenth of the statement (measured).
		finish: fill(finish),

		// The same in place of a record that was there, which stays in bucket 0 from now on: its partition may be gone.
		finishAnew: fill(strings.Replace(finish, "{values}", strings.Replace(values, "{bucket $7}", "{bucket 0}", 1), 1)),

		remember: remember + fill(`SELECT env.now, pg_is_in_recovery(), env.watermark, -1::bigint, {record} r.reply, EXISTS (SELECT FROM made)
FROM env LEFT JOIN {schema}.records r ON {record $2 $21}`),
		rememberOrRaise: remember + "SELECT 1 / count(*) FROM made", // where COMMIT comes in the same text
	}
}

// finishing is the last statement of a transaction that has found old.
func (t *transactSQL) finishing(old store.Record) string {
	if old.State != store.Absent {
		return t.finishAnew
	}
	return t.finish
}

// doneArgs are the parameters of finish and remember; the first differs, and remember has the number of the transaction before as well.
func doneArgs(first any, r store.Record, k keeping) []any {
	version, sum := printOrNull(r.Fingerprint)
	return []any{
		first, r.ID[:], []byte(r.Service), r.Token[:], []byte(r.Principal), []byte(r.Key), orNull(r.Stamp), orNull(store.Time(r.Hint)), version, sum,
		int16(r.Policy), int64(r.FirstSeen), int64(r.Version), int32(r.Claims), int16(r.End), r.Doubted,
		millis(k.window), millis(k.guard), replyOf(r.End, r.Reply),
	}
}

// inMillis is a duration as a setting of PostgreSQL. Zero would mean no bound.
func inMillis(d time.Duration) string { return itoa(max(millis(d), 1)) + "ms" }
