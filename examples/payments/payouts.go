package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/onceward/onceward/faults"
)

// The scenes in which money leaves the house.

func (s *walk) providersReplyLost(ctx context.Context) error {
	if err := s.naiveWorker(ctx); err != nil {
		return err
	}
	s.front.next(faults.LoseReply(1))
	if _, err := s.send(ctx, "/payouts", order{From: "bob", To: "the landlord", Cents: 70_00, Reference: "deposit"}); err != nil {
		return err
	}
	s.outside.next(faults.LoseReply(1))
	return errors.Join(s.work(ctx), s.show(ctx, "deposit", 1), s.showPaid(ctx, "deposit", 1))
}

// naiveWorker calls the provider without a key, or with a new one for each try, which is the same.
func (s *walk) naiveWorker(ctx context.Context) error {
	body, err := json.Marshal(order{To: "the landlord", Cents: 60_00, Reference: "key money"})
	if err != nil {
		return err
	}
	s.outside.next(faults.LoseReply(1))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	s.say("worker", "a naive one: pays 60.00 for \"key money\", and has no key")
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.worker.url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			s.say("worker", "sees an error, and tries again")
			continue
		}
		resp.Body.Close()
		s.say("worker", "sees %d, once", resp.StatusCode)
	}
	return s.showPaid(ctx, "key money", 2)
}

func (s *walk) workerDies(ctx context.Context) error {
	if _, err := s.send(ctx, "/payouts", order{From: "bob", To: "the dentist", Cents: 90_00, Reference: "tooth"}); err != nil {
		return err
	}
	var died atomic.Bool
	s.outside.next()
	s.stage.settling = func() error {
		if died.CompareAndSwap(false, true) {
			s.say("worker", "dies: the provider has paid, and the outbox says pending")
			return errWorkerDied
		}
		return nil
	}
	err := s.work(ctx)
	if !errors.Is(err, errWorkerDied) {
		return errors.Join(errors.New("the worker has not died"), err)
	}
	s.say("worker", "another one finds the payout pending, and sends the same key")
	err = s.work(ctx)
	s.stage.settling = nil
	return errors.Join(err, s.show(ctx, "tooth", 1), s.showPaid(ctx, "tooth", 1))
}

// providerDeclines: that a reply is lost is no reason to give the money back; the provider's no is.
func (s *walk) providerDeclines(ctx context.Context) error {
	if _, err := s.send(ctx, "/payouts", order{From: "alice", To: noSuchBank, Cents: 15_00, Reference: "gift"}); err != nil {
		return err
	}
	s.outside.next(faults.LoseReply(1))
	return errors.Join(s.work(ctx), s.show(ctx, "gift", 1), s.show(ctx, "gift, returned", 1), s.showPaid(ctx, "gift", 0))
}

// work lets the worker go through the outbox until nothing is due.
func (s *walk) work(ctx context.Context) error {
	for found := true; found; {
		var err error
		if found, err = s.worker.next(ctx); err != nil {
			return err
		}
	}
	books, err := s.bank.ledger.statement(ctx)
	if err != nil || len(books.Payouts) == 0 {
		return err
	}
	last := books.Payouts[len(books.Payouts)-1]
	s.say("outbox", "payout %d for %q is %s, taken %d time(s)", last.ID, last.Reference, last.State, last.Tries)
	return nil
}

// showPaid tells how often the provider has paid a reference, and what it must be.
func (s *walk) showPaid(_ context.Context, reference string, want int) error {
	s.paid[reference] = want
	n := 0
	for _, o := range s.provider.payments() {
		if o.Reference == reference {
			n++
		}
	}
	s.say("provider", "has paid %q %s", reference, times(n))
	if n != want {
		return fmt.Errorf("the provider has paid %q %s, want %s", reference, times(n), times(want))
	}
	return nil
}
