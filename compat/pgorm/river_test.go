package pgorm

import (
	"context"
	"encoding/json"
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

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
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
	river.AddWorker(workers, &notifier{url: other.URL, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
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
