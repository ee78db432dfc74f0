package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// check compares the books and the provider's with what the clients were promised.
func (s *walk) check(ctx context.Context) error {
	books, err := s.bank.ledger.statement(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.w, "\nThe books")
	var wrong []error
	verdict := func(faults []string, format string, args ...any) {
		mark := "ok   "
		if len(faults) > 0 {
			mark = "WRONG"
		}
		fmt.Fprintf(s.w, "   %s %s\n", mark, fmt.Sprintf(format, args...))
		for _, f := range faults {
			wrong = append(wrong, errors.New(f))
		}
	}
	verdict(countFaults("the ledger has", s.booked, books.booked()), "%d bookings: each operation once, the naive one twice", len(books.Bookings))
	verdict(books.balanceFaults(), "every account is its opening balance and its bookings; nothing was lost between them")
	verdict(books.pendingFaults(), "%d payouts, none is pending", len(books.Payouts))
	payments := s.provider.payments()
	verdict(countFaults("the provider has paid", s.paid, countPaid(payments)), "%d payments at the provider: each payout once, the naive one twice", len(payments))
	return errors.Join(wrong...)
}

// countFaults compares how often each reference is there with how often it must be.
func countFaults(who string, want, got map[string]int) (faults []string) {
	all := maps.Clone(want)
	for reference := range got {
		all[reference] += 0
	}
	for _, reference := range slices.Sorted(maps.Keys(all)) {
		if got[reference] != want[reference] {
			faults = append(faults, fmt.Sprintf("%s %q %s, want %s", who, reference, times(got[reference]), times(want[reference])))
		}
	}
	return faults
}

func (s statement) booked() map[string]int {
	n := map[string]int{}
	for _, b := range s.Bookings {
		n[b.Reference]++
	}
	return n
}

func countPaid(payments []order) map[string]int {
	n := map[string]int{}
	for _, o := range payments {
		n[o.Reference]++
	}
	return n
}

func (s statement) balanceFaults() (faults []string) {
	balances, total := map[string]int64{}, int64(0)
	for name, a := range s.Accounts {
		balances[name] = a.Opening
		total += a.Cents - a.Opening
	}
	if total != 0 {
		faults = append(faults, fmt.Sprintf("all accounts together have %d cents more than at the beginning", total))
	}
	for _, b := range s.Bookings {
		balances[b.Debit] -= b.Cents
		balances[b.Credit] += b.Cents
	}
	for _, name := range slices.Sorted(maps.Keys(s.Accounts)) {
		if have := s.Accounts[name].Cents; have != balances[name] {
			faults = append(faults, fmt.Sprintf("%s has %s, and by its bookings %s", name, money(have), money(balances[name])))
		}
	}
	return faults
}

func (s statement) pendingFaults() (faults []string) {
	for _, p := range s.Payouts {
		if p.State != paid && p.State != declined {
			faults = append(faults, fmt.Sprintf("payout %d for %q is %s", p.ID, p.Reference, p.State))
		}
	}
	return faults
}
