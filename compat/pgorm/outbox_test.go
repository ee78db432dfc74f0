package pgorm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
	"github.com/onceward/onceward/store/pgstore"
)

// notify is a job: tell another service of a transfer, under a key by which it tells copies.
type notify struct {
	Key      string `json:"key" river:"unique"`
	Transfer int64  `json:"transfer"`
}

// Kind is the job's name.
func (notify) Kind() string { return "notify" }

// InsertOpts makes the key unique, and ends the tries after about eleven hours: within the day for which the other service remembers a key.
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
	client *oncehttp.Client // sends nothing under a key that is older than its Window, a day
}

// Work sends the job's key with each try, and does not mint one.
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
	switch {
	case errors.Is(err, retry.ErrWindow):
		return river.JobCancel(err) // the other service may have forgotten the key: for a person
	case err != nil:
		return err // nobody knows whether it arrived: River tries again, under the same key
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusConflict: // 409 may say that another copy is at work
		return river.JobCancel(fmt.Errorf("the other service refused: %s", resp.Status)) // an answer, for ever
	}
	return fmt.Errorf("the other service answered %s", resp.Status)
}
