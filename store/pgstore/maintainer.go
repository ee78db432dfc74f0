package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// MaintainConfig configures a [Maintainer]. The zero value of each field means its default.
type MaintainConfig struct {
	Schema   string            // where the tables are; default [DefaultSchema]
	Every    time.Duration     // default 1 min: between two rounds of Run
	Patience time.Duration     // default 30 s: for how long one step of a round waits for transactions of others; what is not done then is tried in the next round
	Observer onceward.Observer // default: nobody is told

	Partition func(context.Context, PartitionEvent) // is told of partitions that were made or dropped; default: nobody

	clock string
	wall  func() time.Time         // this process's clock; tests set it
	step  func(span, string) error // before each step on a partition; tests end it there
}

// PartitionEvent tells of a partition that was made or dropped.
type PartitionEvent struct {
	Table    string
	From, To time.Time // stamps from, and before to
	Dropped  bool      // or else made
	Moved    int       // how many rows have outlived it
	Took     time.Duration
}

func (c MaintainConfig) withDefaults() (MaintainConfig, error) {
	if c.Every == 0 {
		c.Every = onceward.DefaultMaintainEvery
	}
	if c.Patience == 0 {
		c.Patience = 30 * time.Second
	}
	if c.clock == "" {
		c.clock = wallClock
	}
	if c.wall == nil {
		c.wall = time.Now
	}
	if c.Partition == nil {
		c.Partition = func(context.Context, PartitionEvent) {}
	}
	if c.step == nil {
		c.step = func(span, string) error { return nil }
	}
	schema, err := schemaName(c.Schema)
	c.Schema = schema
	faults := []error{err}
	if c.Every < 0 {
		faults = append(faults, fmt.Errorf("MaintainConfig.Every = %v: must be positive", c.Every))
	}
	if c.Patience < 0 {
		faults = append(faults, fmt.Errorf("MaintainConfig.Patience = %v: must be positive", c.Patience))
	}
	if err := errors.Join(faults...); err != nil {
		return c, &onceward.Error{Op: "new", Err: onceward.ErrConfig, Cause: err}
	}
	return c, nil
}

// Maintainer keeps a table as long as it has to, as the owner of the tables: it removes what is over, as every process that serves does, and makes and drops the
// partitions of a partitioned table, which only the owner may. Several at once, in one process or many, are safe. Make one with [NewMaintainer].
type Maintainer struct {
	config MaintainConfig
	pool   *pgxpool.Pool
	rows   *onceward.Maintenance
}

// NewMaintainer returns a maintainer, which does nothing until it is told to. The pool is the owner's, on a direct connection to the server, and stays the caller's.
func NewMaintainer(ctx context.Context, pool *pgxpool.Pool, c MaintainConfig) (*Maintainer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	traits, l, err := inspect(ctx, pool, c.Schema)
	if err != nil {
		return nil, err
	}
	table := on(pool, Config{Schema: c.Schema, clock: c.clock, stall: defaultStall}, traits, l)
	table.tended = true
	skew := onceward.DefaultSkew
	if l.partitioned {
		skew = l.skew
	}
	return &Maintainer{config: c, pool: pool, rows: &onceward.Maintenance{
		Purger: table, Every: c.Every, StoreTimeout: c.Patience, Skew: skew, Observer: c.Observer,
	}}, nil
}

// Maintain makes one round: it makes the partitions that will be needed, removes rows that are over, and drops the partitions that are over. Nothing is removed, and
// the error is [store.ErrClock], if the server's clock differs from this machine's by more than the skew of the partitions, of a plain table by 5 minutes, or has jumped
// since the last round. Partitions are made all the same, whatever else fails: without them nobody could serve.
func (m *Maintainer) Maintain(ctx context.Context) error {
	made := failed("maintain", m.partitions(ctx, (*upkeeping).ahead, (*upkeeping).stillAhead))
	return errors.Join(made, m.remove(ctx))
}

func (m *Maintainer) remove(ctx context.Context) error {
	if err := m.compareClocks(ctx); err != nil {
		return failed("maintain", err)
	}
	if err := m.rows.Round(ctx); err != nil {
		return err
	}
	return failed("maintain", m.partitions(ctx, (*upkeeping).removeOld, (*upkeeping).noneLate))
}

// compareClocks is for the first round: a process that has just begun has no other clock to hold the server's against than its machine's.
func (m *Maintainer) compareClocks(ctx context.Context) error {
	var now store.Time
	if err := m.pool.QueryRow(ctx, "SELECT "+m.config.clock).Scan(&now); err != nil {
		return err
	}
	if off := now.Sub(store.TimeOf(m.config.wall())); off.Abs() > m.rows.Skew {
		return fmt.Errorf("%w: the server's is %v away from this machine's: correct the one that is wrong", store.ErrClock, off)
	}
	return nil
}

// Run makes a round at once, and then every Every, until ctx ends. A round that fails is an alarm, and the next one tries again.
func (m *Maintainer) Run(ctx context.Context) {
	tick := time.NewTicker(m.config.Every)
	defer tick.Stop()
	for {
		err := m.Maintain(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.alarm(ctx, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (m *Maintainer) alarm(ctx context.Context, err error) {
	alarm := onceward.AlarmUpkeep
	if errors.Is(err, store.ErrClock) {
		alarm = onceward.AlarmClock
	}
	if tell := m.config.Observer.Alarm; tell != nil {
		tell(ctx, onceward.AlarmEvent{Alarm: alarm, Err: err})
	}
}
