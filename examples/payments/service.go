package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// service has the handlers. They do not know of keys, records and replays: the middleware does.
type service struct{ ledger ledger }

// newService returns POST /transfers and POST /payouts, guarded by exec.
func newService(exec onceward.Executor, l ledger) (http.Handler, error) {
	once, err := oncehttp.Middleware(exec, oncehttp.Principal("payments", customer), oncehttp.Config{})
	if err != nil {
		return nil, err
	}
	s := &service{ledger: l}
	mux := http.NewServeMux()
	mux.Handle("POST /transfers", once(http.HandlerFunc(s.transfer)))
	mux.Handle("POST /payouts", once(http.HandlerFunc(s.payOut)))
	return mux, nil
}

const headerCustomer = "X-Authenticated-User"

// customer is who calls. Your gateway sets the header after it has authenticated him, and takes it off whatever comes from outside.
func customer(r *http.Request) (string, error) { return r.Header.Get(headerCustomer), nil }

// transfer moves money from the caller's account to another one.
func (s *service) transfer(w http.ResponseWriter, r *http.Request) {
	o, err := readOrder(r)
	if err != nil {
		refuse(w, err)
		return
	}
	id, err := s.ledger.transfer(r.Context(), o)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusCreated, map[string]any{"booking": id})
}

// payOut takes the money from the caller's account and writes down that it is to be paid. It does not call the provider: an effect there is not undone
// with the transaction, and a transaction does not stay open while somebody else thinks. A [worker] calls him, with the key that is minted here.
func (s *service) payOut(w http.ResponseWriter, r *http.Request) {
	o, err := readOrder(r)
	if err != nil {
		refuse(w, err)
		return
	}
	key, err := onceward.Child(r.Context(), "pay")
	if err != nil {
		refuse(w, err)
		return
	}
	id, err := s.ledger.payOut(r.Context(), o, key)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusAccepted, map[string]any{"payout": id, "state": pending})
}

var errOrder = errors.New(`not an order: {"to": "bob", "cents": 100, "reference": "rent"}`)

func readOrder(r *http.Request) (order, error) {
	var o order
	err := json.NewDecoder(r.Body).Decode(&o) // the middleware has bounded the body
	o.From, _ = customer(r)
	if err != nil || o.To == "" || o.To == o.From || o.Cents <= 0 || o.Reference == "" {
		return order{}, errOrder
	}
	return o, nil
}

// refuse answers an error. In a transaction a 4xx is rolled back and remembered: the same key gets the same answer. A 5xx is rolled back, and the key is free.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, errOrder):
		status = http.StatusBadRequest
	case errors.Is(err, errNoFunds):
		status = http.StatusPaymentRequired
	case errors.Is(err, errNoAccount):
		status = http.StatusNotFound
	default:
		slog.Error("payments: a request failed", "error", err)
		err = errors.New("try again") // what the database says is for the log, not for a client
	}
	answer(w, status, map[string]any{"error": err.Error()})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // to memory: the middleware sends it once it is saved
}
