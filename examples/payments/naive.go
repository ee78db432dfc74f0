package main

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/oncehttp"
)

// naive is the recipe of many articles: look the key up, do the work, save the key. Do NOT copy it: each of the gaps between the three is long
// enough for a crash, and for a second copy.
type naive struct {
	books naiveBooks
	gap   func() // between the work and the saving
}

type naiveBooks interface {
	find(ctx context.Context, key string) (booking int64, ok bool, err error)
	work(ctx context.Context, o order) (booking int64, err error)
	save(ctx context.Context, key string, booking int64) error
}

// ServeHTTP is POST /naive/transfers.
func (n *naive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o, err := readOrder(r)
	if err != nil {
		refuse(w, err)
		return
	}
	key := r.Header.Get(oncehttp.HeaderKey)
	id, known, err := n.books.find(r.Context(), key)
	if err == nil && !known {
		id, err = n.books.work(r.Context(), o)
		if err == nil {
			n.gap()
			err = n.books.save(r.Context(), key, id)
		}
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusCreated, map[string]any{"booking": id})
}

const naiveSchema = "CREATE TABLE naive_keys (key text PRIMARY KEY, booking bigint NOT NULL)"

type pgNaive struct{ pool *pgxpool.Pool }

func (n *pgNaive) find(ctx context.Context, key string) (id int64, ok bool, err error) {
	err = n.pool.QueryRow(ctx, "SELECT booking FROM naive_keys WHERE key = $1", key).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return id, err == nil, err
}

func (n *pgNaive) work(ctx context.Context, o order) (id int64, err error) {
	err = pgx.BeginFunc(ctx, n.pool, func(tx pgx.Tx) error {
		id, err = book(ctx, tx, booking{Debit: o.From, Credit: o.To, Cents: o.Cents, Reference: o.Reference})
		return err
	})
	return id, err
}

func (n *pgNaive) save(ctx context.Context, key string, id int64) error {
	_, err := n.pool.Exec(ctx, "INSERT INTO naive_keys VALUES ($1, $2) ON CONFLICT DO NOTHING", key, id)
	return err
}

type memNaive struct {
	ledger  *memLedger
	mu      sync.Mutex
	replies map[string]int64
}

func (n *memNaive) find(_ context.Context, key string) (int64, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, ok := n.replies[key]
	return id, ok, nil
}

func (n *memNaive) work(ctx context.Context, o order) (int64, error) {
	return n.ledger.transfer(ctx, o)
}

func (n *memNaive) save(_ context.Context, key string, id int64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replies[key] = id
	return nil
}
