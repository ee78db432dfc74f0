package pgorm

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
	"github.com/onceward/onceward/store/memstore"
)

// outbox inserts jobs, and works none.
var outbox = func() *river.Client[pgx.Tx] {
	c, err := river.NewClient(riverpgxv5.New(nil), &river.Config{})
	if err != nil {
		panic(err)
	}
	return c
}()

var viaRiver = library{
	name: "river",
	exec: func(t *testing.T, db *database) onceward.Executor {
		migrator, err := rivermigrate.New(riverpgxv5.New(db.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := migrator.Migrate(t.Context(), rivermigrate.DirectionUp, nil); err != nil {
			t.Fatal(err)
		}
		return pgxExecutor(t, db)
	},
	transfer: func(ctx context.Context, wish transfer) (int64, error) {
		id, err := sqlcPGX.transfer(ctx, wish)
		if err != nil {
			return 0, err
		}
		return id, enqueue(ctx, outbox, id)
	},
	escape: sqlcPGX.escape,
	check: func(t *testing.T, db *database) { // a job for each transfer, with a key of its own
		var transfers, jobs, keys int
		err := db.pool.QueryRow(context.Background(), "SELECT (SELECT count(*) FROM transfers), count(*), count(DISTINCT args->>'key') FROM river_job").Scan(&transfers, &jobs, &keys)
		if err != nil || jobs != transfers || keys != transfers {
			t.Errorf("%d transfers, %d jobs with %d keys: %v", transfers, jobs, keys, err)
		}
		if _, err := db.pool.Exec(context.Background(), "DELETE FROM river_job"); err != nil {
			t.Error(err)
		}
	},
}

// NextRetry is at once.
func (*notifier) NextRetry(*river.Job[notify]) time.Time { return time.Now() }

// onceEachTry is a client that leaves trying again to River.
func onceEachTry(t *testing.T) *oncehttp.Client {
	t.Helper()
	c, err := oncehttp.NewClient(oncehttp.ClientConfig{Policy: retry.Policy{Attempts: 1}, Transport: &http.Transport{DisableKeepAlives: true}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What ends a job, and what is tried again. A key that the other service may have forgotten is not sent.
func TestRiverTriesAgain(t *testing.T) {
	const done, again, cancelled = "done", "again", "cancelled"
	for _, c := range []struct {
		status int // 0: no reply
		age    time.Duration
		want   string
		sent   int64
	}{
		{201, 0, done, 1}, {422, 0, cancelled, 1}, {409, 0, again, 1}, {500, 0, again, 1}, {503, 0, again, 1}, {429, 0, again, 1}, {0, 0, again, 1},
		{201, 23 * time.Hour, done, 1}, {201, 25 * time.Hour, cancelled, 0},
	} {
		var sent atomic.Int64
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			sent.Add(1)
			if c.status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(c.status)
		}))
		key, err := onceward.TypeID{Clock: func() time.Time { return time.Now().Add(-c.age) }}.Mint()
		if err != nil {
			t.Fatal(err)
		}
		n := &notifier{url: other.URL, client: onceEachTry(t)}
		err = n.Work(t.Context(), &river.Job[notify]{JobRow: &rivertype.JobRow{}, Args: notify{Key: key.Text(), Transfer: 1}})
		got := done
		if cancel := new(river.JobCancelError); errors.As(err, &cancel) {
			got = cancelled
		} else if err != nil {
			got = again
		}
		if got != c.want || sent.Load() != c.sent {
			t.Errorf("status %d, key of %v: %s after %d sends, want %s after %d: %v", c.status, c.age, got, sent.Load(), c.want, c.sent, err)
		}
		other.Close()
	}
}

// The whole way: the reply to the transfer is lost, and so is the other service's reply to the job. One transfer, one job, one notification.
func TestRiverOutbox(t *testing.T) {
	db := newDatabase(t)
	b := open(t, viaRiver, db, viaRiver.exec(t, db))
	b.cut.Store(1)
	if lost := b.post("k", `{"Amount":30}`); lost.err == nil {
		t.Errorf("the reply arrived: %+v", lost)
	}
	if again := b.post("k", `{"Amount":30}`); again.status != http.StatusCreated || !again.replayed {
		t.Errorf("again: %+v", again)
	}
	b.want(t, 1, 30)

	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = guard.Close(context.Background()) })
	once, err := oncehttp.Middleware(guard, oncehttp.Principal("notices", func(*http.Request) (string, error) { return "bank", nil }), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var notices atomic.Int64
	other := &bank{} // for its way to lose replies
	other.cut.Store(1)
	other.Server = httptest.NewServer(other.losing(once(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		notices.Add(1)
		w.WriteHeader(http.StatusAccepted)
	}))))
	t.Cleanup(other.Close)

	workers := river.NewWorkers()
	river.AddWorker(workers, &notifier{url: other.URL, client: onceEachTry(t)})
	client, err := river.NewClient(riverpgxv5.New(b.db.pool), &river.Config{
		Workers: workers,
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2}},
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	events, cancel := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
	defer cancel()
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	var done notify
	for _, kind := range []river.EventKind{river.EventKindJobFailed, river.EventKindJobCompleted} {
		select {
		case e := <-events:
			if e.Kind != kind {
				t.Errorf("%s, want %s: %v", e.Kind, kind, e.Job.Errors)
			}
			if err := json.Unmarshal(e.Job.EncodedArgs, &done); err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no event %s", kind)
		}
	}
	copied, err := client.Insert(t.Context(), notify{Key: done.Key, Transfer: 99}, nil) // by something that is not guarded
	if err != nil || !copied.UniqueSkippedAsDuplicate {
		t.Errorf("a second job under the same key: %+v, %v", copied, err)
	}
	if n := notices.Load(); n != 1 {
		t.Errorf("%d notifications", n)
	}
}
