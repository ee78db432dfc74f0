package main

import (
	"context"
	"errors"

	"github.com/onceward/onceward"
)

// A ledger is where the money is: [pgLedger], or [memLedger] where there is no PostgreSQL. It does not deduplicate: what comes twice is booked twice.
type ledger interface {
	// transfer and payOut are for guarded handlers, and write in their transaction. Their errors may be errNoAccount and errNoFunds.
	transfer(ctx context.Context, o order) (booking int64, err error)
	// payOut takes the money and writes a payout to the outbox, both or neither. key is the operation's child key.
	payOut(ctx context.Context, o order, key onceward.Key) (payout int64, err error)

	// due returns a payout that is to be tried now, and keeps it from other workers for a while; false: there is none.
	due(ctx context.Context) (payout, bool, error)
	// settle ends a pending payout; one that was declined gives the money back. A payout that is settled already stays as it is.
	settle(ctx context.Context, p payout, s settlement) error

	statement(ctx context.Context) (statement, error)
}

var (
	errNoAccount = errors.New("there is no such account")
	errNoFunds   = errors.New("insufficient funds")
)

// inTransit is the account of money that has been given away for a payout. A bank would go on to book it to the provider once he has paid.
const inTransit = "in transit"

// order is what a client asks for: cents from its own account to another one, or to somebody outside.
type order struct {
	From      string `json:"-"` // who calls
	To        string `json:"to"`
	Cents     int64  `json:"cents"`
	Reference string `json:"reference"`
}

// payout is a row of the outbox.
type payout struct {
	ID        int64
	Key       string
	Account   string
	To        string
	Cents     int64
	Reference string
	State     string
	Tries     int
}

// settlement is how a payout ended.
type settlement struct {
	State   string // paid or declined
	Payment string // the provider's name for it
}

const (
	pending  = "pending"
	paid     = "paid"
	declined = "declined"
)

// statement is everything that is in the books, for whoever checks them.
type statement struct {
	Accounts map[string]account
	Bookings []booking
	Payouts  []payout
}

type account struct{ Opening, Cents int64 }

type booking struct {
	Debit, Credit string
	Cents         int64
	Reference     string
}

// returned is the booking that gives a declined payout's money back.
func (p payout) returned() booking {
	return booking{Debit: inTransit, Credit: p.Account, Cents: p.Cents, Reference: p.Reference + ", returned"}
}
