package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/cmd/onceward/internal/adminapi"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
)

// findings are what was listed as unknown, and what has become of it.
type findings struct {
	listed   map[int]bool // transfers
	strange  int          // records that no client wonders about
	resolved Resolved
	left     int
}

// resolveAll does what an operator does: it lists what nobody can tell, looks each up in the ledger, and says so by `onceward keys resolve`. Then the
// client asks again.
func (c *crash) resolveAll(ctx context.Context) (findings, error) {
	f := findings{listed: map[int]bool{}}
	rows, err := readLedgerFile(c.houses.ledger())
	if err != nil {
		return f, err
	}
	booked := map[string]bool{}
	for _, row := range rows {
		booked[row.key] = true
	}
	wondering := map[string]*wish{}
	for _, w := range c.crowd.all(onceward.Unknown) {
		wondering[w.op.Key().Text()] = w
	}
	records, err := c.unknowns(ctx)
	if err != nil {
		return f, err
	}
	for _, r := range records {
		w := wondering[r.Key]
		if w == nil {
			f.strange++
		} else {
			f.listed[w.transfer.number] = true
		}
		// The bank has ended: nothing that was sent to it can still take effect, which is what --attested says.
		what := []string{"--did-not-happen", "--attested"}
		if booked[r.Key] {
			what = []string{"--happened", "--no-reply"}
			f.resolved.Happened++
		} else {
			f.resolved.DidNotHappen++
		}
		err := c.Keys(ctx, append([]string{
			"resolve", "--admin", c.houses.admin(), "--service", r.Service, "--principal", r.Principal, "--key", r.Key,
			"--version", fmt.Sprint(r.Version), "--yes", "--reason", "the bank's ledger says so",
		}, what...)...)
		if err != nil {
			return f, fmt.Errorf("onceward keys resolve: %w", err)
		}
		if w == nil {
			continue
		}
		if err := c.crowd.send(ctx, w); err != nil {
			return f, err
		}
	}
	left, err := c.unknowns(ctx)
	f.left = len(left)
	return f, err
}

// unknowns lists what the proxy cannot tell.
func (c *crash) unknowns(ctx context.Context) (all []oncehttp.AdminRecord, err error) {
	desk, err := adminapi.New(adminapi.Config{Address: c.houses.admin(), Actor: "demo", Timeout: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	for cursor := ""; ; {
		page, err := desk.Page(ctx, adminapi.Filter{Class: store.ClassUnknown.String(), Cursor: cursor, Limit: store.MaxPage})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Records...)
		if cursor = page.Next; cursor == "" {
			return all, nil
		}
	}
}

// askAgain sends once more what was answered. The bank is gone, so only the record can answer.
func (c *crowd) askAgain(ctx context.Context) error {
	var answered []*wish
	for _, w := range c.all(onceward.Executed) {
		if w.reply != "" {
			answered = append(answered, w)
		}
	}
	return c.share(ctx, len(answered), func(ctx context.Context, i int) error { return c.send(ctx, answered[i]) })
}
