package main

import (
	"context"
	"errors"

	"github.com/onceward/onceward"
)

// stage is a ledger that scenes can interrupt, at the two moments that hurt most. The functions may be nil.
type stage struct {
	ledger
	written  func()       // a handler has written, nothing is committed yet
	settling func() error // the provider has answered, the worker has not written it down yet
}

func (s *stage) transfer(ctx context.Context, o order) (int64, error) {
	id, err := s.ledger.transfer(ctx, o)
	if err == nil && s.written != nil {
		s.written()
	}
	return id, err
}

func (s *stage) payOut(ctx context.Context, o order, key onceward.Key) (int64, error) {
	id, err := s.ledger.payOut(ctx, o, key)
	if err == nil && s.written != nil {
		s.written()
	}
	return id, err
}

var errWorkerDied = errors.New("the worker died")

func (s *stage) settle(ctx context.Context, p payout, end settlement) error {
	if s.settling != nil {
		if err := s.settling(); err != nil {
			return err
		}
	}
	return s.ledger.settle(ctx, p, end)
}
