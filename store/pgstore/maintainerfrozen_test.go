package pgstore

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// freezing is a connection of a process that may freeze: what the server answers is then not read.
type freezing struct {
	net.Conn
	frozen *atomic.Bool
	thaw   chan struct{}
}

func (f freezing) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if f.frozen.Load() {
		<-f.thaw
	}
	return n, err
}

// A maintainer that freezes while it raises the floor holds up nobody who serves.
func TestFrozenMaintainerHoldsNoStepUp(t *testing.T) {
	p := newParted(t)
	o := p.fill(t)
	p.older(t, o)
	c := p.owner.Config()
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // no flight but those with statements
	var frozen atomic.Bool
	thaw := make(chan struct{})
	c.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return freezing{conn, &frozen, thaw}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m := p.maintainerOn(t, pool, nil)
	step := newRival(t, p.tables, p.s)
	step.do(p.s.sql.lockStep, 1, 2, 3)
	ended := make(chan error, 1)
	go func() { ended <- m.Maintain(t.Context()) }()
	somebodyWaits(t, p.tables) // for the step, to raise the floor
	frozen.Store(true)
	step.commit()
	bounded, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	a, err := p.s.Claim(bounded, claimOf(identity("k", p.now(t)), tokenOf(1)))
	want(t, a, err, store.Granted)
	frozen.Store(false)
	close(thaw)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	p.survived(t, o)
}

// A maintainer that freezes, or whose machine is gone, is put out by the server, and another one takes over.
func TestFrozenMaintainerIsPutOut(t *testing.T) {
	for _, at := range []string{"raise the floor", "detach", "drop"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			p := newParted(t)
			o := p.fill(t)
			m := p.maintainerOn(t, open(t, p.owner.Config().ConnString()), func(c *MaintainConfig) {
				c.Patience = time.Second
				c.step = func(of span, step string) error {
					if of == o.partition && step == at {
						eventually(t, p.tables, "the frozen one is put out", `SELECT NOT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
							WHERE d.datname = current_database() AND locktype = 'advisory' AND classid = $1::int::oid AND objid = hashtext($2)::oid)`, lockPartitions, p.schema)
						p.maintain(t)
					}
					return nil
				}
			})
			if err := m.Maintain(t.Context()); err == nil {
				t.Error("who was put out says that all went well")
			}
			p.survived(t, o)
			whole(t, p)
		})
	}
}

// While another maintainer holds the lock a round is none of ours; but if that one does not get on, it is an error, a width before anybody is refused.
func TestMaintainerSaysThatAnotherDoesNotGetOn(t *testing.T) {
	p := newParted(t)
	other, err := p.owner.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Release()
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock($1::int, hashtext($2))", lockPartitions, p.schema); err != nil {
		t.Fatal(err)
	}
	p.maintain(t)
	made, _ := p.spans(t)
	move(t, p.s, made[len(made)-1].to.Sub(p.now(t))-time.Hour)
	a, err := p.s.Claim(t.Context(), claimOf(identity("k", p.now(t)), tokenOf(1)))
	want(t, a, err, store.Granted)
	impatient := func(c *MaintainConfig) { c.Patience = time.Second }
	err = p.maintainer(t, impatient).Maintain(t.Context())
	if !errors.Is(err, ErrPartition) || !strings.Contains(err.Error(), "another maintainer") {
		t.Errorf("nobody makes partitions: %v", err)
	}
	move(t, p.s, 24*time.Hour)
	if err = p.maintainer(t, impatient).Maintain(t.Context()); !errors.Is(err, errBusy) {
		t.Errorf("nobody drops partitions: %v", err)
	}
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	p.maintain(t)
	whole(t, p)
}

// Through a pooler the lock would stay behind, on a session of somebody else: it is not taken.
func TestMaintainerRefusesAPooler(t *testing.T) {
	p := newParted(t)
	c := p.owner.Config().ConnConfig
	through := open(t, pgtest.OwnBouncer(t, pgtest.Shared(t)).URLAs(c.User, c.Database)+"&default_query_exec_mode=exec")
	for range 3 {
		if err := p.maintainerOn(t, through, nil).Maintain(t.Context()); !errors.Is(err, errPooler) {
			t.Errorf("through a pooler: %v", err)
		}
	}
	p.maintain(t)
	var held int
	err := p.owner.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::int::oid AND objid = hashtext($2)::oid", lockPartitions, p.schema).Scan(&held)
	if err != nil || held != 0 {
		t.Errorf("%d locks are left behind, %v", held, err)
	}
}
