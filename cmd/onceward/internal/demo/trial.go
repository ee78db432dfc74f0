package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward"
)

// Both kinds of client try equally hard. The waits are short because nothing here is overloaded, only lossy.
const (
	attempts       = 4
	attemptTimeout = 3 * time.Second
	backoffBase    = 4 * time.Millisecond
	backoffCap     = 50 * time.Millisecond
)

// closeLimit bounds the end of a run, when nothing but copies on the way is left.
const closeLimit = 10 * time.Second

var errTimeLimit = errors.New("the run's time limit is over")

// trial is one run: all transfers, one kind of client, one kind of server.
type trial struct {
	cfg    Config
	name   string
	orders []transfer
	ledger *ledger
	diary  *diary
	told   testimonies
	struck *struck

	sends   atomic.Int64 // attempts of the clients
	replays atomic.Int64 // calls that the guard answered from the record
	doubts  atomic.Int64 // sends that ended Unknown
	gaveUp  atomic.Int64 // transfers that a client reported as failed

	mu       sync.Mutex
	settled  int
	latency  []time.Duration // of the settled ones
	finished chan struct{}   // closed when all are settled
	took     time.Duration
}

// sender is one kind of client.
type sender interface {
	send(ctx context.Context, t transfer) error // until it is settled or put away
	resend(ctx context.Context) error           // one that was put away, if there is any
	resendAll(ctx context.Context) error        // all that are put away, until the trial is finished
	close()                                     // its connections and files
}

// server is one kind of server: the bank's handler, guarded or not, and how to end what guards it.
type server struct {
	handler http.Handler
	end     func(context.Context) error
}

func newTrial(cfg Config, name string, orders []transfer) *trial {
	return &trial{cfg: cfg, name: name, orders: orders, ledger: &ledger{}, diary: newDiary(cfg.Clock.Now), finished: make(chan struct{})}
}

// run opens the sockets, lets the clients work, and waits until every copy on the way has arrived.
func (t *trial) run(ctx context.Context, guard func(http.Handler) (server, error), newSender func(url string) (sender, error)) error {
	b := &bank{ledger: t.ledger, wanted: len(t.orders), diary: t.diary, clock: t.cfg.Clock}
	half, err := guard(b)
	if err != nil {
		return err
	}
	closing := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	}
	s, err := open(t.cfg, t.diary, b.door(half.handler))
	if err != nil {
		ending, cancel := closing()
		defer cancel()
		return errors.Join(err, half.end(ending))
	}
	t.struck = &s.struck
	clients, err := newSender(s.URL + "/transfers")
	if err == nil {
		err = t.crowd(ctx, clients)
		clients.close()
	}
	ending, cancel := closing()
	defer cancel()
	return errors.Join(err, s.close(ending), half.end(ending))
}

// crowd lets the clients share the transfers out among them. What the time limit leaves open is no error: it stays unsettled.
func (t *trial) crowd(ctx context.Context, clients sender) error {
	start := t.cfg.Clock.Monotonic()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	limited, cancel := context.WithTimeoutCause(ctx, t.cfg.TimeLimit, errTimeLimit)
	defer cancel()
	t.progress(0)

	var next atomic.Int64
	var work sync.WaitGroup
	for range t.cfg.Clients {
		work.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(t.orders) && limited.Err() == nil; i = next.Add(1) - 1 {
				if err := errors.Join(clients.send(limited, t.orders[i]), clients.resend(limited)); err != nil {
					stop(err)
				}
			}
			if err := clients.resendAll(limited); err != nil {
				stop(err)
			}
		})
	}
	work.Wait()
	t.took = t.cfg.Clock.Monotonic() - start
	if ctx.Err() != nil {
		return fmt.Errorf("the run with %s clients was stopped: %w", t.name, context.Cause(ctx))
	}
	return nil
}

// testify notes what a client tells its owner.
func (t *trial) testify(number int, key string, fate onceward.Fate) {
	t.told.add(testimony{number, key, fate})
	if fate == onceward.Unknown {
		t.doubts.Add(1)
	}
}

// settle notes that a client has told the end of a transfer that it began at start.
func (t *trial) settle(number int, start time.Duration, text string) {
	t.diary.note(number, event{step: stepSettled, text: text})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.latency = append(t.latency, t.cfg.Clock.Monotonic()-start)
	t.settled++
	t.progress(t.settled)
	if t.settled == len(t.orders) {
		close(t.finished)
	}
}

// progress is called one at a time: before the clients begin, and under the lock.
func (t *trial) progress(settled int) {
	t.cfg.Progress(Progress{Run: t.name, Settled: settled, Wanted: len(t.orders)})
}
