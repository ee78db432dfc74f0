package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
)

// keyed is the client half: each transfer is an operation with a key, and one whose fate is unknown is saved and sent again later.
type keyed struct {
	trial  *trial
	url    string
	client *oncehttp.Client
	disk   string     // folder of the saved operations
	keys   sync.Map   // onceward.Key to the number of its transfer, for the diary
	outbox chan saved // has room for every transfer, each of which is in it once at most
}

// saved is an operation that is put away.
type saved struct {
	transfer transfer
	file     string // that holds the operation; "": certainly nothing took effect, so that it may have a new key
	start    time.Duration
}

// resendPause is how long a saved operation lies before it is sent again.
const resendPause = 20 * time.Millisecond

func newKeyed(t *trial) func(string) (sender, error) {
	return func(url string) (sender, error) {
		k := &keyed{trial: t, url: url, outbox: make(chan saved, len(t.orders))}
		// The budget protects a server that is down. Here it is up, and its replies get lost.
		budget, err := retry.NewBudget(retry.BudgetConfig{Capacity: MaxRequests * 100, Clock: t.cfg.Clock})
		if err != nil {
			return nil, err
		}
		k.client, err = oncehttp.NewClient(oncehttp.ClientConfig{
			Transport: newTransport(),
			Policy: retry.Policy{
				Attempts: attempts, AttemptTimeout: attemptTimeout,
				Base: backoffBase, OverloadBase: backoffBase, Cap: backoffCap, PollInterval: backoffCap,
			},
			Budget: budget, Observer: retry.Observer{Attempt: k.observe}, Clock: t.cfg.Clock, Rand: t.cfg.Rand,
		})
		if err != nil {
			return nil, err
		}
		k.disk, err = os.MkdirTemp("", "onceward-demo-")
		if err != nil {
			return nil, fmt.Errorf("the demo saves operations to disk: %w", err)
		}
		return k, nil
	}
}

func (k *keyed) send(ctx context.Context, t transfer) error {
	return k.prepare(ctx, t, k.trial.cfg.Clock.Monotonic())
}

func (k *keyed) prepare(ctx context.Context, t transfer, start time.Duration) error {
	req, err := newRequest(ctx, k.url, t)
	if err != nil {
		return err
	}
	op, err := k.client.Prepare(req)
	if err != nil {
		return err
	}
	k.keys.Store(op.Key(), t.number)
	return k.finish(ctx, op, saved{transfer: t, start: start})
}

// finish sends the operation until its fate is known, or puts it away.
func (k *keyed) finish(ctx context.Context, op *oncehttp.Operation, s saved) error {
	resp, err := k.client.Send(ctx, op)
	if resp != nil {
		defer resp.Body.Close()
	}
	fate := onceward.FateOf(err)
	if fate == onceward.Unknown && ctx.Err() != nil {
		return nil // the trial is over; it stays unknown
	}
	k.trial.testify(s.transfer.number, op.Key().Text(), fate)
	switch fate {
	case onceward.Executed:
		if err == nil && resp.StatusCode != http.StatusCreated {
			return fmt.Errorf("the bank refused %s: %s", s.transfer.name(), resp.Status)
		}
		if err := k.forget(s); err != nil {
			return err
		}
		k.trial.settle(s.transfer.number, s.start, "knows: done, once")
		return nil
	case onceward.NotExecuted:
		if err := k.forget(s); err != nil {
			return err
		}
		s.file = ""
	case onceward.Unknown:
		if s.file, err = k.save(s.transfer, op); err != nil {
			return err
		}
		k.trial.diary.note(s.transfer.number, event{step: stepSaved})
	}
	k.outbox <- s
	return nil
}

// save writes what a careful program would: it is enough to send the operation again after a crash. Credentials are left out.
func (k *keyed) save(t transfer, op *oncehttp.Operation) (file string, err error) {
	text, err := json.Marshal(op)
	if err != nil {
		return "", err
	}
	file = filepath.Join(k.disk, t.name()+".json")
	return file, os.WriteFile(file, text, 0o600) // it outlives the process; a program that fears for the machine syncs it too
}

// forget removes what save has written, once the fate is known.
func (k *keyed) forget(s saved) error {
	if s.file == "" {
		return nil
	}
	return os.Remove(s.file)
}

// resend takes one operation out of the outbox, as a program does that has crashed in between.
func (k *keyed) resend(ctx context.Context) error {
	select {
	case s := <-k.outbox:
		return k.again(ctx, s)
	default:
		return nil
	}
}

func (k *keyed) resendAll(ctx context.Context) error {
	for {
		select {
		case s := <-k.outbox:
			if err := k.again(ctx, s); err != nil {
				return err
			}
		case <-k.trial.finished:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (k *keyed) again(ctx context.Context, s saved) error {
	if k.trial.cfg.Clock.Sleep(ctx, resendPause) != nil {
		return nil //nolint:nilerr // the trial is over
	}
	if s.file == "" {
		return k.prepare(ctx, s.transfer, s.start)
	}
	text, err := os.ReadFile(s.file)
	if err != nil {
		return err
	}
	var op oncehttp.Operation
	if err := json.Unmarshal(text, &op); err != nil {
		return err
	}
	return k.finish(ctx, &op, s)
}

// observe is called after every attempt.
func (k *keyed) observe(_ context.Context, key onceward.Key, a retry.Attempt) {
	k.trial.sends.Add(1)
	number, ok := k.keys.Load(key)
	if !ok {
		return
	}
	e := event{step: stepEnded}
	switch a.End {
	case retry.EndSaved, retry.EndReplayed, retry.EndSuccess:
	case retry.EndCutOff, retry.EndReplyCut:
		e.failed, e.text = true, endCutOff
	case retry.EndAttemptTimeout:
		e.failed, e.text = true, endTimedOut
	default:
		e.failed, e.text = true, a.End.String()
	}
	k.trial.diary.note(number.(int), e)
}

func (k *keyed) close() {
	k.client.CloseIdleConnections()
	_ = os.RemoveAll(k.disk) // what is left of it is temporary
}
