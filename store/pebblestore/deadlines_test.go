package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

// countedContext ends when it was asked so often.
type countedContext struct {
	context.Context
	left atomic.Int64
}

func (c *countedContext) Err() error {
	if c.left.Add(-1) < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// Who looks through many records ends in the midst of them when his time is up, also if a filter leaves out all.
func TestLookingKeepsDeadlines(t *testing.T) {
	s := begin(t, Config{Bucket: testBucket})
	defer s.Close()
	const records = 100
	for n := range records {
		if _, err := s.Claim(t.Context(), claimOf(identity(fmt.Sprint(n), 0), tokenOf(1))); err != nil {
			t.Fatal(err)
		}
	}
	clockOf(s).move(time.Minute)
	for what, look := range map[string]func(context.Context) error{
		"List": func(ctx context.Context) error {
			_, err := s.List(ctx, store.ListRequest{Class: store.ClassUnknown, Principal: "nobody", Limit: 1})
			return err
		},
		"Stats": func(ctx context.Context) error { _, err := s.Stats(ctx, ""); return err },
	} {
		ctx := &countedContext{Context: t.Context()}
		ctx.left.Store(records / 2)
		if err := look(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s when its time is up in the midst: %v", what, err)
		}
		if err := look(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// While Close waits for a call, who comes is told that the store is closed, and does not wait for that call with it.
func TestNobodyWaitsForClose(t *testing.T) {
	var s *Store
	s = begin(t, Config{reach: func(point string) {
		if point != "claim" {
			return
		}
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		<-s.closing
		got := make(chan error, 1)
		go func() { _, err := s.Get(t.Context(), identity("1", 0)); got <- err }()
		select {
		case err := <-got:
			if !errors.Is(err, store.ErrClosed) {
				t.Errorf("Get while the store closes: %v; want ErrClosed", err)
			}
		case <-time.After(time.Second):
			t.Error("Get waits for Close")
		}
		select {
		case err := <-closed:
			t.Errorf("Close did not wait for the claim: %v", err)
		default:
		}
	}})
	if _, err := s.Claim(t.Context(), claimOf(identity("0", 0), tokenOf(1))); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
