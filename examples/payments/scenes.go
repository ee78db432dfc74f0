package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/faults"
	"github.com/onceward/onceward/oncehttp"
)

// play plays all scenes and checks the books.
func (s *walk) play(ctx context.Context) error {
	for _, scene := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"The transfer is committed, and the reply is lost", s.replyLost},
		{"The request is lost", s.requestLost},
		{"A copy comes while the first is at work", s.copyAtWork},
		{"The process dies in the middle: look up, work, save the key", s.naiveDies},
		{"The process dies in the middle: onceward", s.processDies},
		{"The same key with another amount", s.otherAmount},
		{"There is not enough money", s.noFunds},
		{"A payout, and the provider's reply is lost", s.providersReplyLost},
		{"The worker dies before it writes down what the provider said", s.workerDies},
		{"The provider declines", s.providerDeclines},
		{"A storm", s.stormScene},
	} {
		s.scene(scene.title)
		if err := scene.play(ctx); err != nil {
			return fmt.Errorf("scene %q: %w", scene.title, err)
		}
	}
	return s.check(ctx)
}

func (s *walk) replyLost(ctx context.Context) error {
	s.front.next(faults.LoseReply(1))
	_, err := s.send(ctx, "/transfers", order{From: "alice", To: "bob", Cents: 30_00, Reference: "rent"})
	return errors.Join(err, s.show(ctx, "rent", 1))
}

func (s *walk) requestLost(ctx context.Context) error {
	s.front.next(faults.LoseRequest(1))
	_, err := s.send(ctx, "/transfers", order{From: "alice", To: "bob", Cents: 5_00, Reference: "lunch"})
	return errors.Join(err, s.show(ctx, "lunch", 1))
}

// copyAtWork holds the first send after its writes until the second has arrived.
func (s *walk) copyAtWork(ctx context.Context) error {
	req, err := s.request(ctx, "/transfers", order{From: "bob", To: "alice", Cents: 12_00, Reference: "books"})
	if err != nil {
		return err
	}
	op, err := s.client.Prepare(req)
	if err != nil {
		return err
	}
	atWork, arrived := make(chan struct{}), make(chan struct{})
	s.front.next()
	s.front.watch(func(n int) {
		if n == 2 {
			close(arrived)
		}
	})
	s.stage.written = sync.OnceFunc(func() {
		close(atWork)
		<-arrived
	})
	s.say("client", "POST /transfers: bob pays 12.00 to alice for \"books\", key %s", op.Key())
	first := make(chan error, 1)
	go func() { first <- s.again(ctx, op) }()
	select {
	case <-atWork:
	case err := <-first:
		return errors.Join(errors.New("the first send has not come to the ledger"), err)
	}
	s.say("client", "sends the same while the first has written and not committed")
	err = s.again(ctx, op)
	err = errors.Join(err, <-first)
	s.front.watch(nil)
	s.stage.written = nil
	return errors.Join(err, s.show(ctx, "books", 1))
}

// otherAmount is a client with a bug: it sends another order under a key that it has used.
func (s *walk) otherAmount(ctx context.Context) error {
	op, err := s.send(ctx, "/transfers", order{From: "alice", To: "bob", Cents: 8_00, Reference: "taxi"})
	if err != nil {
		return err
	}
	req, err := s.request(ctx, "/transfers", order{From: "alice", To: "bob", Cents: 800_00, Reference: "taxi"})
	if err != nil {
		return err
	}
	req.Header.Set(oncehttp.HeaderKey, op.Key().Text())
	s.say("client", "POST /transfers: 800.00 instead of 8.00, under the same key")
	resp, err := s.client.Do(req)
	if resp != nil {
		defer resp.Body.Close()
	}
	s.say("client", "%s", ended(resp, nil))
	if !errors.Is(err, onceward.ErrKeyReused) {
		return errors.Join(errors.New("the key was not found to be another request's"), err)
	}
	return s.show(ctx, "taxi", 1)
}

// noFunds: a 4xx is an answer. It is undone and remembered.
func (s *walk) noFunds(ctx context.Context) error {
	boat := order{From: "carol", To: "bob", Cents: 5_000_00, Reference: "boat"}
	op, err := s.send(ctx, "/transfers", boat)
	if err != nil {
		return err
	}
	if _, err := s.send(ctx, "/transfers", order{From: "dave", To: "carol", Cents: 900_00, Reference: "loan"}); err != nil {
		return err
	}
	s.say("client", "sends the boat's again, under its key: the answer was no, and stays no")
	resp, err := s.client.Send(ctx, op)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s.say("client", "%s", ended(resp, nil))
	if resp.StatusCode != http.StatusPaymentRequired {
		return fmt.Errorf("the refusal was not remembered: %s", resp.Status)
	}
	return errors.Join(s.show(ctx, "boat", 0), s.show(ctx, "loan", 1))
}

// show tells how often the ledger has a reference, and what it must be.
func (s *walk) show(ctx context.Context, reference string, want int) error {
	s.booked[reference] = want
	books, err := s.bank.ledger.statement(ctx)
	if err != nil {
		return err
	}
	n := 0
	for _, b := range books.Bookings {
		if b.Reference == reference {
			n++
		}
	}
	s.say("ledger", "%q is booked %s", reference, times(n))
	if n != want {
		return fmt.Errorf("%q is booked %s, want %s", reference, times(n), times(want))
	}
	return nil
}
