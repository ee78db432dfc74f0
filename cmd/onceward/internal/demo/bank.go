package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
)

const (
	maxOrder = 4 << 10              // bytes of a request's body
	bankWork = time.Millisecond * 2 // what a transfer takes, so that duplicates overlap
)

// headerTransfer names the transfer for the network's faults and the diary, in both runs. Nobody deduplicates by it.
const headerTransfer = "X-Transfer"

// order is a request's body; receipt is the reply's.
type order struct {
	Transfer string `json:"transfer"`
	From     int    `json:"from"`
	To       int    `json:"to"`
	Amount   int64  `json:"amount"`
}

type receipt struct {
	Transfer string `json:"transfer"`
	Row      int    `json:"row"` // of the ledger: a second execution has another one
}

// books are where the bank writes down what it does; move returns the row that says so, from 1.
type books interface {
	move(t transfer, key string) (row int)
}

// bank carries out every transfer that arrives, as an ordinary handler does.
type bank struct {
	ledger books
	wanted int // transfers it may be asked for
	diary  *diary
	clock  retry.Clock
}

// ServeHTTP is POST /transfers.
func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, ok := b.read(w, r)
	if !ok {
		http.Error(w, "not a transfer", http.StatusBadRequest)
		return
	}
	// A bank's work does not stop because a client has gone.
	_ = b.clock.Sleep(context.WithoutCancel(r.Context()), bankWork)
	row := b.ledger.move(t, r.Header.Get(oncehttp.HeaderKey))
	b.diary.note(t.number, event{step: stepMoved, row: row, coins: t.amount})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(receipt{Transfer: t.name(), Row: row}) // the client may be gone
}

func (b *bank) read(w http.ResponseWriter, r *http.Request) (t transfer, ok bool) {
	var o order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o); err != nil {
		return transfer{}, false
	}
	number, ok := numberOf(o.Transfer, b.wanted)
	ok = ok && o.From >= 0 && o.From < accounts && o.To >= 0 && o.To < accounts && o.Amount > 0
	return transfer{number: number, from: o.From, to: o.To, amount: o.Amount}, ok
}

// door notes what comes to the bank and what leaves it, outside of any middleware.
func (b *bank) door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number, ok := numberOf(r.Header.Get(headerTransfer), b.wanted)
		if !ok {
			http.Error(w, "not of this demo", http.StatusBadRequest)
			return
		}
		b.diary.note(number, event{step: stepArrived})
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		// The reply is small: net/http sends it when this handler returns, so the note is in time.
		b.diary.note(number, event{
			step: stepAnswered, status: seen.status,
			saved:    w.Header().Get(oncehttp.HeaderOutcome) == oncehttp.OutcomeSaved,
			replayed: w.Header().Get(oncehttp.HeaderReplayed) == "true",
		})
	})
}

// statusWriter remembers the status that was written through it.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}
