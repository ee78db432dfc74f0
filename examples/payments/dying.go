package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// The scenes in which the service dies after a handler's work. In PostgreSQL a process is killed. In memory there is only this process,
// so a panic must do.

func (s *walk) naiveDies(ctx context.Context) error {
	if s.database == "" {
		s.gap = s.panicOnce("dies after the work, before the key is saved")
		defer func() { s.gap = nil }()
	}
	o := order{From: "carol", To: "dave", Cents: 40_00, Reference: "shoes"}
	err := s.sendToReplica(ctx, "/naive/transfers", o, "dies after the work is committed, before the key is saved")
	return errors.Join(err, s.show(ctx, "shoes", 2))
}

func (s *walk) processDies(ctx context.Context) error {
	o := order{From: "carol", To: "dave", Cents: 40_00, Reference: "hat"}
	if s.database == "" {
		return s.handlerPanics(ctx, o)
	}
	err := s.sendToReplica(ctx, "/transfers", o, "dies after its writes, before COMMIT: PostgreSQL undoes them")
	return errors.Join(err, s.show(ctx, "hat", 1))
}

// sendToReplica sends an order to a process that is killed by it. The next send goes to this process.
func (s *walk) sendToReplica(ctx context.Context, path string, o order, death string) error {
	s.front.next()
	if s.database != "" {
		r, err := startReplica(ctx, s.database, func() {
			s.say("service", "%s", death)
			s.front.lead(s.service)
		})
		if err != nil {
			return err
		}
		defer func() { s.say("service", "process %d: %s", r.cmd.Process.Pid, r.end()) }()
		s.front.lead(r)
	}
	_, err := s.send(ctx, path, o)
	return err
}

// panicOnce ends a request as a crash of its process does for the client: without a reply.
func (s *walk) panicOnce(what string) func() {
	var done atomic.Bool
	return func() {
		if done.CompareAndSwap(false, true) {
			s.say("service", "%s", what)
			panic(http.ErrAbortHandler)
		}
	}
}

// handlerPanics is where record mode is weaker. Nothing undoes what the handler has written, and nobody but a person can tell whether it has: so the
// operation runs no second time, and is unknown until somebody looks.
func (s *walk) handlerPanics(ctx context.Context, o order) error {
	s.stage.written = s.panicOnce("dies after its writes: in record mode nothing undoes them")
	s.front.next()
	op, err := s.send(ctx, "/transfers", o)
	s.stage.written = nil
	var unknown *oncehttp.UnknownOutcomeError
	if !errors.As(err, &unknown) {
		return errors.Join(errors.New("nobody was told that the outcome is unknown"), err)
	}
	if err := s.show(ctx, o.Reference, 1); err != nil {
		return err
	}
	if err := s.resolve(ctx); err != nil {
		return err
	}
	if err := s.again(ctx, op); err != nil {
		return err
	}
	return s.show(ctx, o.Reference, 1)
}

// resolve is what an operator does: look into the books, and decide. In production that is `onceward keys list` and `onceward keys resolve`, over an
// oncehttp.Admin.
func (s *walk) resolve(ctx context.Context) error {
	page, err := s.bank.guard.Unknowns(ctx, onceward.UnknownsRequest{})
	if err != nil {
		return err
	}
	if len(page.Records) != 1 {
		return fmt.Errorf("%d unknown operations, want one", len(page.Records))
	}
	s.say("operator", "finds the operation (onceward keys list) and the booking in the ledger, and resolves it (onceward keys resolve): it happened")
	reply := onceward.Reply{Status: http.StatusCreated, Header: []onceward.Field{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`{"resolved":"booked"}`)}
	_, err = s.bank.guard.Resolve(ctx, onceward.Resolution{
		Record: page.Records[0], Happened: true, Reply: &reply, Actor: "ops", Reason: "the booking is in the ledger",
	})
	return err
}
