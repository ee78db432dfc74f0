package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/faults"
)

const (
	stormOrders  = 80
	stormClients = 8
	stormWorkers = 2
	stormSends   = 20 // of one operation, each with all of its attempts
)

// stormScene is many clients and then several workers at once, while both networks lose and double what they can.
func (s *walk) stormScene(ctx context.Context) error {
	for _, n := range []*network{s.front, s.outside} {
		n.next()
		if err := n.rage(faults.LoseReply(0.3), faults.LoseRequest(0.1), faults.Duplicate(0.1)); err != nil {
			return err
		}
	}
	s.say("clients", "%d of them send %d transfers and payouts; %d workers empty the outbox", stormClients, stormOrders, stormWorkers)
	s.hush(true)
	err := s.sendOrders(ctx)
	err = errors.Join(err, s.front.calm(ctx)) // late copies first: then every payout is in the outbox
	if err == nil {
		err = s.emptyOutbox(ctx)
	}
	err = errors.Join(err, s.outside.calm(ctx))
	s.hush(false)
	struck := s.front.struck.Load() + s.outside.struck.Load()
	s.say("networks", "have had %d sends to deliver, and have struck %d times: requests lost, replies lost, requests doubled", s.front.count()+s.outside.count(), struck)
	if err == nil && struck == 0 {
		err = errors.New("there was no storm")
	}
	return err
}

// sendOrders draws all orders from the seed and sends each until its fate is known.
func (s *walk) sendOrders(ctx context.Context) error {
	type task struct {
		path string
		order
	}
	draw := rand.New(rand.NewPCG(s.seed, 0))
	tasks := make(chan task, stormOrders)
	people := []string{"alice", "bob", "carol", "dave"}
	for i := range stormOrders {
		from := draw.IntN(len(people))
		t := task{"/transfers", order{
			From: people[from], To: people[(from+1+draw.IntN(len(people)-1))%len(people)],
			Cents: 1 + draw.Int64N(3_00), Reference: fmt.Sprintf("order %d", i+1),
		}}
		s.booked[t.Reference] = 1
		if draw.IntN(2) == 0 {
			t.path, t.To = "/payouts", "the dentist"
			s.paid[t.Reference] = 1
			if draw.IntN(4) == 0 {
				t.To = noSuchBank
				s.paid[t.Reference], s.booked[t.Reference+", returned"] = 0, 1
			}
		}
		tasks <- t
	}
	close(tasks)
	return inParallel(stormClients, func() error {
		for t := range tasks {
			if err := s.sendUntilKnown(ctx, t.path, t.order); err != nil {
				return err
			}
		}
		return nil
	})
}

// sendUntilKnown sends the same operation again while its fate is unknown. A careful program saves the operation in between: it is JSON.
func (s *walk) sendUntilKnown(ctx context.Context, path string, o order) error {
	op, err := s.send(ctx, path, o)
	for n := 1; err != nil && onceward.FateOf(err) == onceward.Unknown && n < stormSends && ctx.Err() == nil; n++ {
		err = s.again(ctx, op)
	}
	return err
}

// emptyOutbox lets several workers run into each other. One of them may find nothing while the other still has something.
func (s *walk) emptyOutbox(ctx context.Context) error {
	err := inParallel(stormWorkers, func() error {
		for {
			if found, err := s.worker.next(ctx); err != nil || !found {
				return err
			}
		}
	})
	return errors.Join(err, s.work(ctx))
}

// inParallel runs f n times at once and returns what went wrong.
func inParallel(n int, f func() error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f() })
	}
	all.Wait()
	return errors.Join(errs...)
}
