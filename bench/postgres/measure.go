package postgres

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/bench/rounds"
	"github.com/onceward/onceward/store/pgstore"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// Run is what so many callers at a time took.
type Run struct {
	Callers           int
	Bare, Once, Naive rounds.Result
}

// Result is a whole measurement.
type Result struct {
	Settings string // of the server, that matter
	Fsync    string // what the disk takes
	Runs     []Run
	WAL      float64 // bytes of an operation with its record
	BareWAL  float64 // of one without
}

// Callers are how many there are at a time.
var Callers = []int{1, 16, 64}

// Measure starts a durable server, fills its tables and measures. Ops is for one caller; more callers do it four times as often.
func Measure(ctx context.Context, plan rounds.Plan) (r Result, err error) {
	server, err := pgtest.Start(ctx, pgtest.Config{Durable: true, Settings: map[string]string{
		"shared_buffers": "256MB", "max_wal_size": "8GB", "checkpoint_timeout": "1h", // no checkpoint falls into the round of one contender
	}})
	if err != nil {
		return r, err
	}
	defer func() {
		if closing := server.Close(); err == nil {
			err = closing
		}
	}()
	if r.Fsync, err = fsync(server.DataDir()); err != nil {
		return r, err
	}
	b := &bench{}
	if err := b.open(ctx, server); err != nil {
		return r, err
	}
	defer b.close()
	if err := b.pool.QueryRow(ctx, `SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1) || ', ' ||
		string_agg(name || ' ' || setting, ', ' ORDER BY name) FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method')`).Scan(&r.Settings); err != nil {
		return r, err
	}
	for _, callers := range Callers {
		p := plan
		if callers > 1 {
			p.Ops *= 4
		}
		r.Runs = append(r.Runs, b.run(ctx, callers, p))
	}
	r.WAL, r.BareWAL = b.wal(ctx, plan.Ops, b.once), b.wal(ctx, plan.Ops, b.bare)
	if p := b.fault.Load(); p != nil {
		return r, *p
	}
	return r, counted(ctx, b.pool, b.done)
}

// bench is a server's tables with the ways to work on them.
type bench struct {
	pool   *pgxpool.Pool
	guard  *pgstore.Transactor
	minter onceward.TypeID
	fault  atomic.Pointer[error]
	done   int64
	orders []order
}

func (b *bench) open(ctx context.Context, server *pgtest.Server) error {
	url, err := server.Database(ctx)
	if err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	config.MaxConns, config.MinConns = 64, 64
	if b.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	if _, err = pgstore.Migrate(ctx, b.pool, ""); err == nil {
		err = makeTables(ctx, b.pool)
	}
	if err == nil {
		b.guard, err = pgstore.NewTransactor(ctx, b.pool, pgstore.TransactConfig{})
	}
	return err
}

func (b *bench) close() {
	_ = b.guard.Close(context.Background())
	b.pool.Close()
}

// prepare mints keys and deals out accounts, so that no two operations of a round meet.
func (b *bench) prepare(n int) {
	b.orders = b.orders[:0]
	for i := range n {
		key, err := b.minter.Mint()
		b.note(err)
		b.orders = append(b.orders, order{key.Text(), i % accounts})
	}
	b.done += int64(n)
}

func (b *bench) note(err error) {
	if err != nil {
		b.fault.CompareAndSwap(nil, &err)
	}
}

func (b *bench) bare(ctx context.Context, o order) error  { return bare(ctx, b.pool, o) }
func (b *bench) naive(ctx context.Context, o order) error { return naive(ctx, b.pool, o) }

func (b *bench) once(ctx context.Context, o order) error {
	key, err := onceward.ParseKey(o.key)
	if err != nil {
		return err
	}
	call := onceward.Call{Scope: onceward.Scope{Service: "orders", Principal: "alice"}, Key: key, Fingerprint: onceward.BytesFingerprint("application/json", note)}
	result, err := b.guard.Transact(ctx, call, func(ctx context.Context, tx pgx.Tx) onceward.Outcome {
		if err := work(ctx, tx, o); err != nil {
			return onceward.DoubtError(err)
		}
		return onceward.Save(onceward.Reply{Status: 201, Body: reply})
	})
	if err == nil && (result.Standing != onceward.Saved || result.Replayed) {
		err = fmt.Errorf("a new operation ended %v, replayed %v", result.Standing, result.Replayed)
	}
	return err
}

func (b *bench) run(ctx context.Context, callers int, plan rounds.Plan) Run {
	contender := func(name string, do func(context.Context, order) error) rounds.Contender {
		return rounds.Contender{Name: name, Prepare: b.prepare, Round: func(int) { b.all(ctx, callers, do) }}
	}
	r := rounds.Run(plan, contender("the transaction alone", b.bare), contender("with its record and reply", b.once), contender("look, claim, work, save", b.naive))
	return Run{Callers: callers, Bare: r[0], Once: r[1], Naive: r[2]}
}

// all does the orders, shared out among the callers.
func (b *bench) all(ctx context.Context, callers int, do func(context.Context, order) error) {
	rounds.Share(callers, len(b.orders), func(i int) {
		request, stop := context.WithCancel(ctx) // as each request of a server has one
		defer stop()
		b.note(do(request, b.orders[i]))
	})
}

// wal is how many bytes of write-ahead log one operation takes.
func (b *bench) wal(ctx context.Context, n int, do func(context.Context, order) error) (bytes float64) {
	b.prepare(n)
	var before string
	b.note(b.pool.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&before))
	b.all(ctx, 1, do)
	b.note(b.pool.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - $1::text::pg_lsn)::float8", before).Scan(&bytes))
	return bytes / float64(n)
}
