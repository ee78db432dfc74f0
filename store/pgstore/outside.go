package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// madeAhead is an error while there is time to do something: a maintainer makes partitions two widths ahead, and one of them is used up. It is one, too, once they
// are kept for less than what this process has promised.
func (s *statements) madeAhead(ctx context.Context, db querier, now store.Time, promise time.Duration) error {
	var newest, width, window, skew store.Time
	if err := db.QueryRow(ctx, s.ahead).Scan(&newest, &width, &window, &skew); err != nil {
		return err
	}
	if kept := time.Duration(window+skew) * time.Millisecond; promise > kept {
		return fmt.Errorf("%w for keys as old as this process has promised to remember them, %v with the skew: partitions are kept for %v: "+
			"see the flags --window and --skew of onceward migrate postgres --partitions", ErrPartition, promise, kept)
	}
	if newest >= now+width {
		return nil
	}
	return fmt.Errorf("%w for keys minted from %s on: run a maintainer, see onceward maintain postgres", ErrPartition, newest.Std().UTC().Format(time.RFC3339))
}

// outside is the answer where no partition took the record. The transaction is undone.
func (a *attempt) outside(cause error) error {
	cause = failed("commit", cause)
	if tell := a.e.config.Observer.Alarm; tell != nil {
		tell(a.running, onceward.AlarmEvent{Alarm: AlarmPartition, Service: a.who.Service, ID: a.who.ID, Key: a.call.Key, Err: cause})
	}
	return a.unavailable(cause, "nothing has taken effect; retry the same key")
}
