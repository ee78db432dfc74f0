package main

import (
	"io"
	"strings"
	"testing"
)

// Books that are wrong in any way make the walk fail.
func TestCheckSeesWrongBooks(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*walk, *statement)
		want  string // "": the books are right
	}{
		"nothing":          {func(*walk, *statement) {}, ""},
		"booked twice":     {func(_ *walk, s *statement) { s.Bookings = append(s.Bookings, s.Bookings[0]) }, `"rent" TWICE, want once`},
		"not booked":       {func(_ *walk, s *statement) { s.Bookings = s.Bookings[1:] }, `"rent" not at all, want once`},
		"never ordered":    {func(_ *walk, s *statement) { s.Bookings[0].Reference = "bribe" }, `"bribe" once, want not at all`},
		"a wrong balance":  {func(_ *walk, s *statement) { s.Accounts["alice"] = account{Opening: 500, Cents: 399} }, "alice has 3.99, and by its bookings 4.00"},
		"money from air":   {func(_ *walk, s *statement) { s.Accounts["alice"] = account{Opening: 500, Cents: 401} }, "1 cents more"},
		"a pending payout": {func(_ *walk, s *statement) { s.Payouts[0].State = pending }, `payout 1 for "tooth" is pending`},
		"paid twice":       {func(w *walk, _ *statement) { w.provider.paid = append(w.provider.paid, w.provider.paid[0]) }, `"tooth" TWICE, want once`},
		"not paid":         {func(w *walk, _ *statement) { w.provider.paid = nil }, `"tooth" not at all, want once`},
	} {
		l := &memLedger{books: statement{
			Accounts: map[string]account{"alice": {500, 400}, "bob": {0, 70}, inTransit: {0, 30}},
			Bookings: []booking{{"alice", "bob", 70, "rent"}, {"alice", inTransit, 30, "tooth"}},
			Payouts:  []payout{{ID: 1, Reference: "tooth", State: paid}},
		}}
		w := &walk{
			teller: &teller{w: io.Discard}, bank: &bank{ledger: l}, provider: &provider{paid: []order{{Reference: "tooth"}}},
			booked: map[string]int{"rent": 1, "tooth": 1}, paid: map[string]int{"tooth": 1},
		}
		c.spoil(w, &l.books)
		switch err := w.check(t.Context()); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
