package pgstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// layout is how the table of records is laid out. A process finds it when it opens the table, and its statements fit no other: on a table that
// was laid out anew meanwhile they fail, and nothing is executed.
//
// On a partitioned table every row has a bucket: the stamp of its key, as whoever made it saw it; or 0, if it saw none, or the row was open, or not over, when its
// partition was dropped, or it is older than the partitions. So a record is in one of two places.
type layout struct {
	schema              string
	partitioned         bool
	width, window, skew time.Duration // of partitions, and how long they are kept
	prepared            bool          // statements are: their plans are kept
}

// floorService stands for all services in the table of watermarks: the watermark of dropped partitions. No service is named so.
const floorService = ""

// pieces are what differs between the layouts, in the text of a statement.
var pieces = []struct {
	find              *regexp.Regexp
	plain, partitions string
	onlyPrepared      bool
}{
	// The record of an id, and of a stamp, or 0. Pruning leaves two partitions, in generic plans too.
	{regexp.MustCompile(`{record (\$\d+) (\$\d+)}`), `id = $1::bytea`, `bucket IN (0, $2::bigint) AND id = $1::bytea`, false},

	// Columns and values of an insert, in front of others.
	{regexp.MustCompile(`{bucket}`), ``, `bucket, `, false},
	{regexp.MustCompile(`{bucket (\$\d+)}`), ``, `coalesce($1::bigint, 0), `, false},

	{regexp.MustCompile(`{bucket 0}`), ``, `0, `, false},

	// The watermark in force for a service.
	{regexp.MustCompile(`{watermark (\$\d+)}`),
		`coalesce((SELECT watermark FROM {schema}.watermarks WHERE service = $1::bytea), 0)`,
		`coalesce((SELECT max(watermark) FROM {schema}.watermarks WHERE service IN ($1::bytea, ''::bytea)), 0)`, false},
	{regexp.MustCompile(`{floor}`), `0`, `coalesce((SELECT watermark FROM {schema}.watermarks WHERE service = ''::bytea), 0)`, false},

	// Who reads the watermark and then writes lets nobody raise the floor in between.
	{regexp.MustCompile(`{hold floor}`), ``, fmt.Sprintf(`, pg_advisory_xact_lock_shared(%d, hashtext('{schema}'))`, lockFloor), false},

	// Lookups by a plan that was made once. A planner that is left alone makes one anew each time, because the one that is kept costs more in its estimate: it names
	// every partition. Measured, that is a third of a new operation's time. The setting goes back before anybody else's statement is planned.
	{regexp.MustCompile(`{generic}`), ``,
		`, set_config('onceward.plan_cache_mode', current_setting('plan_cache_mode'), true), set_config('plan_cache_mode', 'force_generic_plan', true)`, true},
	{regexp.MustCompile(`{planned standby}`), `pg_is_in_recovery()`,
		`CASE WHEN set_config('plan_cache_mode', current_setting('onceward.plan_cache_mode'), true) IS NOT NULL THEN pg_is_in_recovery() END`, true},

	// What a purge looks at: what is over in a partition falls with it. ONLY: it finds nothing if the table is a partitioned one by now.
	{regexp.MustCompile(`{purged}`), `ONLY {schema}.records WHERE `, `{schema}.records WHERE bucket = 0 AND `, false},
	{regexp.MustCompile(`{size}`), `pg_total_relation_size('{schema}.records')`,
		`(SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('{schema}.records') WHERE isleaf)`, false},
}

// fit writes a statement for the layout.
func (l layout) fit(statement string) string {
	for _, p := range pieces {
		text := p.plain
		if l.partitioned && (l.prepared || !p.onlyPrepared) {
			text = p.partitions
		}
		statement = p.find.ReplaceAllStringFunc(statement, func(found string) string {
			given := p.find.FindStringSubmatch(found)
			return placeholder.ReplaceAllStringFunc(text, func(name string) string { return given[name[1]-'0'] })
		})
	}
	return statement
}

// at is the last argument of a statement that looks a record up, where it has one: where it may be, other than in bucket 0. A process that takes the time in a
// UUIDv7 for a stamp, and one that does not, see each other's records: the time stands in the key, for both.
func (l layout) at(args []any, who store.Identity) []any {
	if !l.partitioned {
		return args
	}
	stamp := who.Stamp
	if key, err := onceward.ParseKey(who.Key); stamp == 0 && err == nil {
		if aged, ok := key.UUIDv7Time(); ok {
			stamp = store.TimeOf(aged)
		}
	}
	return append(args, int64(stamp))
}

// findLayout looks how the table is laid out. Everybody may read the table of partitioning.
func findLayout(ctx context.Context, db querier, schema string) (l layout, err error) {
	l.schema = schema
	l.partitioned, err = isPartitioned(ctx, db, schema)
	if err != nil || !l.partitioned {
		return l, err
	}
	var width, window, skew int64
	err = db.QueryRow(ctx, "SELECT width, keep_window, keep_skew FROM "+schema+".partitioning").Scan(&width, &window, &skew)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fmt.Errorf("%w: %w: %s.partitioning is empty: run \"onceward migrate postgres --apply --partitions\" again", ErrSchema, errNoWidth, schema)
	}
	l.width, l.window, l.skew = time.Duration(width)*time.Millisecond, time.Duration(window)*time.Millisecond, time.Duration(skew)*time.Millisecond
	return l, err
}

// unchanged is an error once a table that was plain has been laid out in partitions: then a purge would find nothing for ever, and nobody would notice.
func (s *statements) unchanged(ctx context.Context, db querier) error {
	if s.partitioned {
		return nil
	}
	now, err := isPartitioned(ctx, db, s.schema)
	if err == nil && now {
		err = fmt.Errorf("%w: %s.records has been laid out in partitions since this process began: start this process anew", ErrSchema, s.schema)
	}
	return err
}

// isPartitioned asks the catalogue. Nobody need be allowed anything for it.
func isPartitioned(ctx context.Context, db querier, schema string) (is bool, err error) {
	err = db.QueryRow(ctx, `SELECT coalesce((SELECT c.relkind = 'p' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1::text AND c.relname = 'records'), false)`, schema).Scan(&is)
	return is, err
}

var errNoWidth = errors.New("how wide partitions are is not known")

// prepares says whether a pool keeps prepared statements.
func (l layout) prepares(pool *pgxpool.Pool) layout {
	c := pool.Config().ConnConfig
	l.prepared = c.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement && c.StatementCacheCapacity > 0
	return l
}

// keeps refuses a window beyond that of the partitions: keys would be refused that are within it.
func (l layout) keeps(window, skew time.Duration) error {
	if !l.partitioned || window+skew <= l.window+l.skew {
		return nil
	}
	return fmt.Errorf("Window = %v and Skew = %v: the partitions of this table are kept for %v and %v: run "+
		"\"onceward migrate postgres --apply --partitions %v --window %v --skew %v\", and start this process anew", window, skew, l.window, l.skew, l.width, window, skew)
}
