package pgstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/onceward/onceward/store"
)

// exactDone is up to how many done records Stats counts them; beyond, it takes PostgreSQL's estimate.
const exactDone = 10_000

// Stats implements [store.Upkeep]. Done is exact up to 10,000 records in the table and PostgreSQL's estimate beyond; Bytes is the size of the table
// with its indexes, and of one service zero.
func (s *Store) Stats(ctx context.Context, service string) (store.Stats, error) {
	if err := s.over(ctx); err != nil {
		return store.Stats{}, err
	}
	return count(ctx, s.pool, &s.sql, &s.last, service)
}

func count(ctx context.Context, db querier, sql *statements, seen *store.Latest, service string) (store.Stats, error) {
	var now, watermark, oldest, visited int64
	var st store.Stats
	err := db.QueryRow(ctx, sql.stats, int64(seen.Newest()), []byte(service), int64(exactDone+1)).
		Scan(&now, &watermark, &st.Claimed, &st.Started, &st.Unknown, &oldest, &visited, &st.Done, &st.Bytes)
	if err == nil && visited > exactDone {
		st.Done, err = estimate(ctx, db, sql.estimate, service)
	}
	if err != nil {
		return store.Stats{}, failed("stats", err)
	}
	st.Now, st.Watermark, st.OldestUnknown = store.Time(now), store.Time(watermark), store.Time(oldest)
	seen.See(st.Now)
	return st, nil
}

// estimate asks the planner, who knows from its statistics how many rows there are, and which services are frequent.
func estimate(ctx context.Context, db querier, sql, service string) (int64, error) {
	if service != "" {
		sql += fmt.Sprintf(` AND service = '\x%s'::bytea`, hex.EncodeToString([]byte(service)))
	}
	var text []byte
	if err := db.QueryRow(ctx, sql).Scan(&text); err != nil {
		return 0, err
	}
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) == 0 {
		return 0, fmt.Errorf("read the planner's estimate: %w", err)
	}
	return int64(plans[0].Plan.Rows), nil
}
