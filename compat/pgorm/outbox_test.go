package pgorm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/pgstore"
)

// notify is a job: tell another service of a transfer, under a key by which it tells copies.
type notify struct {
	Key      string `json:"key" river:"unique"`
	Transfer int64  `json:"transfer"`
}

// Kind is the job's name.
func (notify) Kind() string { return "notify" }

// InsertOpts makes the key unique, and ends the retries after about eleven hours: within the other service's window of a day.
func (notify) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}, MaxAttempts: 12}
}

// enqueue inserts the job in the transaction of the guarded handler that ctx belongs to.
func enqueue(ctx context.Context, outbox *river.Client[pgx.Tx], transfer int64) error {
	key, err := onceward.Child(ctx, "notify")
	if err != nil {
		return err
	}
	_, err = outbox.InsertTx(ctx, pgstore.Tx(ctx), notify{Key: key.Text(), Transfer: transfer}, nil)
	return err
}

// notifier works the jobs.
type notifier struct {
	river.WorkerDefaults[notify]
	url    string
	client *http.Client
}

// Work sends the key with each try.
func (n *notifier) Work(ctx context.Context, job *river.Job[notify]) error {
	body, err := json.Marshal(job.Args)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set(oncehttp.HeaderKey, job.Args.Key)
	resp, err := n.client.Do(r)
	if err != nil {
		return err // River tries again
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the other service answered %s", resp.Status)
	}
	return nil
}
