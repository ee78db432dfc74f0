package pgstore

import (
	"context"

	"github.com/onceward/onceward"
)

// A purge removes records and raises the watermark in one commit, and transactions are under way meanwhile. That is safe:
//
//   - What it seals was minted before now − window − guard. The claim of such a key is refused, by its age and by the watermark, which are read in one
//     snapshot with the record.
//   - A transaction whose key was admitted before, and which has run for so long that its stamp is below the watermark now, has no record that a purge could
//     have removed. It commits one below the watermark. There it is found, and replayed, before anybody looks at the watermark; and whoever sends
//     the key meanwhile waits for its lock. So it runs once.
//   - An answer that is remembered after its function was undone is admitted anew, in the statement that writes it.

// startUpkeep begins to maintain the table in the background, unless that is switched off.
func (e *engine) startUpkeep(p onceward.Purger) {
	c := &e.config
	e.upkeep = &onceward.Maintenance{Purger: p, Every: c.MaintainEvery, StoreTimeout: c.StoreTimeout, Skew: c.Skew, Observer: c.Observer}
	e.life, e.retire = context.WithCancel(context.Background())
	if c.MaintainEvery != onceward.NoMaintenance {
		e.inBackground(func() { e.upkeep.Run(e.life) })
	}
}

// Maintain removes now what is over, of all services, and tells the observer what is left: a whole round of what a transactor does by itself every
// MaintainEvery. It is for a job that runs apart from those who serve, with [onceward.NoMaintenance]. Several at once are safe. It is refused, with
// [store.ErrClock], if the server's clock has jumped since this transactor's last round.
func (e *engine) Maintain(ctx context.Context) error {
	if !e.enter() {
		return &onceward.Error{Op: "maintain", Err: onceward.ErrClosed}
	}
	defer e.work.Done()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(e.life, stop)()
	err := e.upkeep.Round(ctx)
	if err != nil && e.life.Err() != nil {
		return &onceward.Error{Op: "maintain", Err: onceward.ErrClosed, Cause: err}
	}
	return err
}
