package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// seedOf draws a seed, or takes ONCEWARD_SEED, and prints it if the test fails.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv("ONCEWARD_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("ONCEWARD_SEED=%d", seed)
		}
	})
	return seed
}

// While days go by in seconds, partitions are made and dropped by several maintainers, some of which die; and clients go on sending new keys and old ones, at each
// isolation level, some of them long after their partition went. Each key is carried out at most once, and who was told of a reply finds it in the books.
func TestKeysRunOnceWhilePartitionsGo(t *testing.T) {
	seed := seedOf(t)
	rounds, each := 8, 25
	if os.Getenv("ONCEWARD_SOAK") != "" {
		rounds, each = 200, 50
	}
	b := newBank(t, serving(t))
	b.partition(t, b.schema, testWidth)
	p := &parted{b.tables, b.again(t, b.schema), b.schema}
	var mu sync.Mutex
	var minted []onceward.Key
	answered := map[string]bool{}
	mint := func(r *rand.Rand, now store.Time) onceward.Key {
		mu.Lock()
		defer mu.Unlock()
		if len(minted) > 0 && r.IntN(3) > 0 {
			return minted[r.IntN(len(minted))]
		}
		ago := time.Duration(r.Int64N(int64(testKeep))) // a client that is late with its first send, too
		key, err := onceward.TypeID{Clock: func() time.Time { return now.Std().Add(-ago) }}.Mint()
		if err != nil {
			t.Error(err)
		}
		minted = append(minted, key)
		return key
	}
	send := func(x *Transactor, key onceward.Key) {
		result, err := x.Transact(t.Context(), callOf(key), b.pay(key))
		switch {
		case err == nil && result.Standing == onceward.Saved:
			mu.Lock()
			defer mu.Unlock()
			answered[key.Text()] = true
		case errors.Is(err, onceward.ErrKeyExpired), errors.Is(err, onceward.ErrInProgress), errors.Is(err, onceward.ErrKeyFromFuture),
			errors.Is(err, onceward.ErrStoreUnavailable):
		default:
			t.Errorf("%s: %+v, %v", key.Text(), result, err)
		}
	}
	var xs []*Transactor
	for _, isolation := range isolations {
		xs = append(xs, b.transactor(t, b.pool, TransactConfig{Isolation: isolation, MaintainEvery: onceward.NoMaintenance}))
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range rounds {
		now := p.now(t)
		var all sync.WaitGroup
		for n, x := range xs {
			r := rand.New(rand.NewPCG(seed, uint64(round*len(xs)+n+1)))
			all.Go(func() {
				for range each {
					send(x, mint(r, now))
				}
			})
		}
		for range 2 {
			dies := r.IntN(8)
			m := p.maintainer(t, func(c *MaintainConfig) {
				c.Patience = time.Second
				c.step = func(span, string) error {
					if dies--; dies == 0 {
						return errDied
					}
					return nil
				}
			})
			all.Go(func() {
				if err := m.Maintain(t.Context()); err != nil && !errors.Is(err, errDied) && !errors.Is(err, errBusy) { // the other one is slow, on a busy machine
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
		move(t, p.s, time.Duration(r.Int64N(int64(2*testWidth))))
	}
	p.maintain(t)
	rows, err := b.owner.Query(t.Context(), "SELECT key, count(*) FROM "+b.schema+".ledger GROUP BY key")
	if err != nil {
		t.Fatal(err)
	}
	var key string
	var n, ran int
	if _, err := pgx.ForEachRow(rows, []any{&key, &n}, func() error {
		ran++
		if n != 1 {
			t.Errorf("%s ran %d times", key, n)
		}
		delete(answered, key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for key := range answered {
		t.Errorf("%s was answered, and is not in the books", key)
	}
	attached, others := p.spans(t)
	t.Logf("%d keys minted, %d ran; the floor is %v above the first stamp; partitions %d",
		len(minted), ran, p.floor(t).Sub(callOf(minted[0]).Scope.Identity(minted[0]).Stamp), len(attached))
	if ran < rounds || len(others) != 0 {
		t.Errorf("%d ran; left detached %v", ran, others)
	}
}

var errDied = errors.New("the maintainer has died")

// The owner of the tables is an ordinary role: it sees, and waits for, transactions of others, and what it makes is served by roles that have grants on the table only.
func TestMaintainerIsAnOrdinaryOwner(t *testing.T) {
	s := pgtest.Shared(t)
	url := s.MustDatabase(t)
	super := open(t, url)
	name := database(super)
	exec(t, super, fmt.Sprintf("CREATE ROLE owner_%[1]s LOGIN; CREATE ROLE serves_%[1]s LOGIN; GRANT CREATE ON DATABASE %[1]s TO owner_%[1]s", name))
	owner, pool := open(t, s.URLAs("owner_"+name, name)), open(t, s.URLAs("serves_"+name, name))
	const schema = "once"
	if _, err := Migrate(t.Context(), owner, schema); err != nil {
		t.Fatal(err)
	}
	grants, err := Grants(schema, "serves_"+name)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, owner, grants+fmt.Sprintf(`CREATE TABLE %[1]s.clock_offset AS SELECT 0::bigint AS ms; GRANT SELECT, UPDATE ON %[1]s.clock_offset TO serves_%[2]s`, schema, name))
	db := tables{owner, pool}
	db.partition(t, schema, testWidth)
	p := &parted{db, db.again(t, schema), schema}
	o := p.fill(t)
	p.older(t, o)
	tx, err := pool.Begin(t.Context()) // another's
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if err := p.maintainer(t, func(c *MaintainConfig) { c.Patience = time.Second }).Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	if attached, _ := p.spans(t); len(attached) == 0 || attached[0] != o.partition {
		t.Errorf("partitions %v: a transaction of another role was not waited for", attached)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.maintain(t)
	p.survived(t, o)
	whole(t, p)
	if _, err := pool.Exec(t.Context(), fmt.Sprintf("UPDATE %s.partitioning SET width = 1", schema)); !isCode(err, noPrivilege) {
		t.Errorf("a role that serves changes the width: %v", err)
	}
	m, err := NewMaintainer(t.Context(), pool, MaintainConfig{Schema: schema, clock: fmt.Sprintf(testClock, schema), wall: func() time.Time { return p.now(t).Std() }})
	if err != nil {
		t.Fatal(err)
	}
	move(t, p.s, 3*testWidth)
	if err := m.Maintain(t.Context()); !errors.Is(err, ErrGrants) {
		t.Errorf("a role that serves makes partitions: %v", err)
	}
}

// A transaction that is under way is waited for, and what it commits is kept; then the table is laid out.
func TestPartitionWaitsForTransactions(t *testing.T) {
	b := newBank(t, serving(t))
	x := b.transactor(t, b.pool, TransactConfig{})
	key := keyOf(t, "k")
	first, let := b.holding(t, x, key)
	laid := make(chan error, 1)
	go func() {
		_, err := Partition(t.Context(), b.owner, PartitionConfig{Schema: b.schema, Width: testWidth, clock: fmt.Sprintf(testClock, b.schema)})
		laid <- err
	}()
	eventually(t, b.tables, "the layout waits",
		"SELECT EXISTS (SELECT FROM pg_locks WHERE relation = $1::regclass AND mode = 'AccessExclusiveLock' AND NOT granted)", b.schema+".records")
	let()
	if got := <-first; got.err != nil || got.Standing != onceward.Saved {
		t.Errorf("the transaction: %+v, %v", got.Result, got.err)
	}
	if err := <-laid; err != nil {
		t.Fatal(err)
	}
	y := b.transactor(t, b.pool, TransactConfig{})
	if result, err := y.Transact(t.Context(), callOf(key), b.pay(key)); err != nil || !result.Replayed {
		t.Errorf("sent again: %+v, %v", result, err)
	}
	b.balance(t, "k")
	if !strings.Contains(y.link.(*pgxLink).own.enter, "bucket") {
		t.Error("the new process works as on a plain table")
	}
}
