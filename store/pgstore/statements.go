package pgstore

import "strings"

// statements are the store's SQL with schema and clock filled in. Parameters are cast, so that every mode of pgx, with and without
// prepared statements, sends them as the same types.
type statements struct {
	layout
	lockStep                                                                        string
	clock, read, create, complete, insert, update, remove, mark, entry              string
	seal, purge, forget, more, unknown, open, done, trail, trailOf, stats, estimate string
	ahead, insertAnew, find                                                         string
}

// recordColumns are what scanning expects, in its order.
const recordColumns = `r.first_seen, r.version, r.hint, r.stamp, r.lease, r.done_at, r.purge_at, r.claims, r.state, r.policy, r.ended,
	r.fingerprint_version, coalesce(r.doubted, false), coalesce(r.safe_new_key, false), r.id, r.token, r.fingerprint, r.service, r.principal, r.key, `

const (
	begin  = "BEGIN ISOLATION LEVEL READ COMMITTED" // whatever the role's default is
	commit = "COMMIT"

	lockOne = "SELECT pg_advisory_xact_lock($1::int, $2::int)"
)

func newStatements(schema, clock string, l layout) statements {
	names := strings.NewReplacer("{schema}", schema, "{clock}", clock, "{columns}", recordColumns)
	fill := func(statement string) string { return names.Replace(l.fit(statement)) }
	listing := func(by, class string) string {
		return fill(strings.NewReplacer("{by}", by, "{class}", class).Replace(`WITH env AS MATERIALIZED (
	SELECT greatest({clock}, $1::bigint) AS now
)
SELECT env.now, {columns} NULL::bytea
FROM env LEFT JOIN LATERAL (
	SELECT * FROM {schema}.records
	WHERE {class} AND ({by}, id) > ($2::bigint, $3::bytea)
		AND ($4::bytea = '' OR service = $4::bytea) AND ($5::bytea = '' OR principal = $5::bytea) AND ($6::bigint = 0 OR first_seen < $6::bigint)
	ORDER BY {by}, id LIMIT $7::bigint
) AS r ON true
ORDER BY r.{by}, r.id`))
	}
	const insert = `INSERT INTO {schema}.records ({bucket}id, service, token, principal, key, stamp, hint, fingerprint_version, fingerprint, policy, state,
	lease, first_seen, version, claims, ended, doubted, safe_new_key, done_at, purge_at, reply)
VALUES ({bucket $6}$1::bytea, $2::bytea, $3::bytea, $4::bytea, $5::bytea, $6::bigint, $7::bigint, $8::smallint, $9::bytea, $10::smallint, $11::smallint,
	$12::bigint, $13::bigint, $14::bigint, $15::int, $16::smallint, $17::boolean, $18::boolean, $19::bigint, $20::bigint, $21::bytea)`
	trail := func(of string) string {
		return fill(`SELECT n, at, version, stamp, action, id, service, principal, key, actor, reason FROM {schema}.trail
WHERE n > $1::bigint ` + of + ` ORDER BY n LIMIT $2::bigint`)
	}
	return statements{
		layout: l,

		// lockStep comes first, as a statement of its own: the statement that reads must begin, and take its snapshot, after the wait.
		lockStep: fill("SELECT pg_advisory_xact_lock($1::bigint), pg_advisory_xact_lock_shared($2::int, $3::int){hold floor}{generic}"),

		// The clock. It never shows less than this process has seen.
		clock: fill(`SELECT greatest({clock}, $1::bigint)`),

		// All that a transition reads, in one snapshot: a purge removes the record and raises the watermark in one commit, so
		// nobody sees the record gone and the watermark below it.
		read: fill(`SELECT greatest({clock}, $4::bigint), pg_is_in_recovery(),
	{watermark $2},
	coalesce((SELECT until FROM {schema}.marks WHERE id = $1::bytea AND token = $3::bytea), -1),
	{columns} r.reply
FROM (SELECT) AS always LEFT JOIN {schema}.records r ON {record $1 $5}`),

		// store.Claim where it creates: absent, no mark, not stale, admissible. It answers what it read, so that the function
		// decides all other cases, and this one once more.
		create: fill(`WITH env AS MATERIALIZED (
	SELECT greatest({clock}, $4::bigint) AS now,
		{watermark $2} AS watermark,
		coalesce((SELECT until FROM {schema}.marks WHERE id = $1::bytea AND token = $3::bytea), -1) AS until
), made AS (
	INSERT INTO {schema}.records ({bucket}id, service, token, principal, key, stamp, hint, fingerprint_version, fingerprint, policy, state,
		lease, first_seen, version, claims, ended, doubted, safe_new_key)
	SELECT {bucket $7}$1::bytea, $2::bytea, $3::bytea, $5::bytea, $6::bytea, $7::bigint, $8::bigint, $9::smallint, $10::bytea, $11::smallint, $12::smallint,
		now + $13::bigint, now, $14::bigint, 1, 0, false, false
	FROM env
	WHERE until < now AND now <= $15::bigint
		AND ($7::bigint IS NULL OR $7::bigint > watermark AND $7::bigint BETWEEN now - $16::bigint AND now + $17::bigint)
		AND NOT EXISTS (SELECT FROM {schema}.records WHERE {record $1 $18})
	ON CONFLICT ON CONSTRAINT records_pkey DO NOTHING
	RETURNING true
)
SELECT env.now, pg_is_in_recovery(), env.watermark, env.until, {columns} r.reply, EXISTS (SELECT FROM made)
FROM env LEFT JOIN {schema}.records r ON {record $1 $18}`),

		// store.Advance where an owner completes. Where it finds nothing to complete it answers no row.
		complete: fill(`WITH env AS MATERIALIZED (
	SELECT greatest({clock}, $3::bigint) AS now
)
UPDATE {schema}.records r
SET state = 3, lease = NULL, ended = $4::smallint, reply = $5::bytea, done_at = env.now, version = r.version + 1,
	purge_at = greatest(r.stamp, env.now) + $6::bigint + $7::bigint
FROM env
WHERE {record $1 $9} AND r.token = $2::bytea AND r.state IN (1, 2)
RETURNING env.now, pg_is_in_recovery(), {watermark $8}, -1::bigint,
	{columns} NULL::bytea`),

		insert:     fill(insert),
		insertAnew: fill(strings.Replace(insert, "{bucket $6}", "{bucket 0}", 1)), // in place of a record, whose partition may be gone

		// These two must hit the record that was read. COMMIT is on its way behind them, so they raise (22012, division by zero) if they do not:
		// a mark or an entry of the trail must not be committed without its record.
		update: fill(`WITH hit AS (
	UPDATE {schema}.records
	SET token = $4::bytea, state = $5::smallint, lease = $6::bigint, version = $7::bigint, claims = $8::int, ended = $9::smallint,
		doubted = $10::boolean, safe_new_key = $11::boolean, done_at = $12::bigint, purge_at = $13::bigint, reply = $14::bytea
	WHERE {record $1 $15} AND token = $2::bytea AND version = $3::bigint
	RETURNING true
) SELECT 1 / count(*) FROM hit`),
		remove: fill(`WITH hit AS (
	DELETE FROM {schema}.records WHERE {record $1 $4} AND token = $2::bytea AND version = $3::bigint RETURNING true
) SELECT 1 / count(*) FROM hit`),

		mark: fill(`INSERT INTO {schema}.marks AS m (id, token, until) VALUES ($1::bytea, $2::bytea, $3::bigint)
ON CONFLICT (id, token) DO UPDATE SET until = greatest(m.until, excluded.until)`),
		entry: fill(`INSERT INTO {schema}.trail (at, version, stamp, action, id, service, principal, key, actor, reason)
VALUES ($1::bigint, $2::bigint, $3::bigint, $4::smallint, $5::bytea, $6::bytea, $7::bytea, $8::bytea, $9::bytea, $10::bytea)`),

		seal: fill(`INSERT INTO {schema}.watermarks AS w (service, watermark) VALUES ($1::bytea, $2::bigint)
ON CONFLICT (service) DO UPDATE SET watermark = greatest(w.watermark, excluded.watermark)
RETURNING greatest(watermark, {floor})`),

		// What another maintainer is about to remove is skipped: two never wait for each other. ARRAY makes the subquery run once; joined with IN
		// it may run once for each row, skip what this statement has removed already, and go past its LIMIT. A ctid is a row's own in one table only: in a plain
		// one, and in the partition of bucket 0.
		purge: fill(`WITH gone AS (
	DELETE FROM {purged}ctid = ANY (ARRAY(
		SELECT ctid FROM {purged}purge_at <= $1::bigint ORDER BY purge_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED))
	RETURNING service, stamp
)
SELECT r.service, coalesce(max(r.stamp), 0), count(*) FROM gone r GROUP BY r.service`),
		forget: fill(`DELETE FROM {schema}.marks WHERE ctid = ANY (ARRAY(
	SELECT ctid FROM {schema}.marks WHERE until < $1::bigint ORDER BY until LIMIT $2::bigint FOR UPDATE SKIP LOCKED))`),
		more: fill(`SELECT coalesce((SELECT min(purge_at) FROM {purged}purge_at IS NOT NULL) <= $1::bigint, false)`), // the index's left end; EXISTS reads the table

		unknown: listing("lease", "lease IS NOT NULL AND state = 2 AND lease <= env.now"),
		open:    listing("lease", "lease IS NOT NULL AND NOT (state = 2 AND lease <= env.now)"),
		done:    listing("purge_at", "purge_at IS NOT NULL"),

		find: fill(findStatement),

		trail:   trail(""),
		trailOf: trail("AND id = $3::bytea"),

		// Open records are counted whole, by their index. Done ones are, up to a bound: a count of millions would take seconds.
		stats: fill(`WITH env AS MATERIALIZED (
	SELECT greatest({clock}, $1::bigint) AS now
), opened AS (
	SELECT count(*) FILTER (WHERE state = 1) AS claimed, count(*) FILTER (WHERE state = 2 AND lease > now) AS started,
		count(*) FILTER (WHERE state = 2 AND lease <= now) AS unknown, min(lease) FILTER (WHERE state = 2 AND lease <= now) AS oldest
	FROM {schema}.records, env WHERE lease IS NOT NULL AND ($2::bytea = '' OR service = $2::bytea)
), done AS (
	SELECT count(*) AS visited, count(*) FILTER (WHERE $2::bytea = '' OR service = $2::bytea) AS counted
	FROM (SELECT service FROM {schema}.records WHERE purge_at IS NOT NULL LIMIT $3::bigint) AS first
)
SELECT now, CASE WHEN $2::bytea = '' THEN 0 ELSE {watermark $2} END,
	claimed, started, unknown, coalesce(oldest, 0), visited, counted,
	CASE WHEN $2::bytea = '' THEN {size} ELSE 0 END
FROM env, opened, done`),
		ahead: fill(`SELECT (SELECT coalesce(max(substring(c.relname FROM '^records_[0-9]+_([0-9]+)$')::bigint), 0) FROM pg_catalog.pg_inherits i
	JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '{schema}.records'::regclass), width, keep_window, keep_skew FROM {schema}.partitioning`),
		estimate: fill(`EXPLAIN (FORMAT JSON) SELECT FROM {schema}.records WHERE purge_at IS NOT NULL`),
	}
}
