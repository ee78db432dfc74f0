package main

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/onceward/onceward"
)

// memLedger is the ledger where there is no PostgreSQL. Nothing undoes what it has written, so it looks before it writes.
type memLedger struct {
	mu    sync.Mutex
	books statement
}

func (l *memLedger) transfer(_ context.Context, o order) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.book(booking{Debit: o.From, Credit: o.To, Cents: o.Cents, Reference: o.Reference})
}

func (l *memLedger) payOut(_ context.Context, o order, key onceward.Key) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.book(booking{Debit: o.From, Credit: inTransit, Cents: o.Cents, Reference: o.Reference}); err != nil {
		return 0, err
	}
	p := payout{ID: int64(len(l.books.Payouts)) + 1, Key: key.Text(), Account: o.From, To: o.To, Cents: o.Cents, Reference: o.Reference, State: pending}
	l.books.Payouts = append(l.books.Payouts, p)
	return p.ID, nil
}

// book is called under the lock.
func (l *memLedger) book(b booking) (int64, error) {
	debit, ok := l.books.Accounts[b.Debit]
	credit, ok2 := l.books.Accounts[b.Credit]
	switch {
	case !ok || !ok2:
		return 0, errNoAccount
	case debit.Cents < b.Cents:
		return 0, errNoFunds
	}
	if b.Debit != b.Credit {
		debit.Cents -= b.Cents
		credit.Cents += b.Cents
		l.books.Accounts[b.Debit], l.books.Accounts[b.Credit] = debit, credit
	}
	l.books.Bookings = append(l.books.Bookings, b)
	return int64(len(l.books.Bookings)), nil
}

// due takes the payouts in turn. Several workers may have the same one: they send the same key.
func (l *memLedger) due(context.Context) (payout, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := -1
	for i, p := range l.books.Payouts {
		if p.State == pending && (next < 0 || p.Tries < l.books.Payouts[next].Tries) {
			next = i
		}
	}
	if next < 0 {
		return payout{}, false, nil
	}
	l.books.Payouts[next].Tries++
	return l.books.Payouts[next], true, nil
}

func (l *memLedger) settle(_ context.Context, p payout, s settlement) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := &l.books.Payouts[p.ID-1]
	if kept.State != pending {
		return nil
	}
	kept.State = s.State
	if s.State != declined {
		return nil
	}
	_, err := l.book(p.returned())
	return err
}

func (l *memLedger) statement(context.Context) (statement, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return statement{Accounts: maps.Clone(l.books.Accounts), Bookings: slices.Clone(l.books.Bookings), Payouts: slices.Clone(l.books.Payouts)}, nil
}
