package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/onceward/onceward/oncehttp"
)

// provider moves money in the world outside. Like real ones it remembers the answer to each Idempotency-Key, and pays whatever comes under a new one.
type provider struct {
	mu      sync.Mutex
	paid    []order
	answers map[string]paymentAnswer // by key
}

type paymentAnswer struct {
	status int
	body   map[string]string
}

// noSuchBank is a beneficiary that the provider declines to pay.
const noSuchBank = "a closed account"

// ServeHTTP is POST /payments.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, "not a payment", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	key := r.Header.Get(oncehttp.HeaderKey)
	a, known := p.answers[key]
	if !known {
		a = p.pay(o)
		if key != "" {
			p.answers[key] = a
		}
	}
	p.mu.Unlock()
	if known {
		w.Header().Set(oncehttp.HeaderReplayed, "true")
	}
	answer(w, a.status, a.body)
}

// pay is called under the lock.
func (p *provider) pay(o order) paymentAnswer {
	if o.To == noSuchBank {
		return paymentAnswer{http.StatusPaymentRequired, map[string]string{"error": "declined"}}
	}
	p.paid = append(p.paid, o)
	return paymentAnswer{http.StatusCreated, map[string]string{"payment": fmt.Sprintf("pay_%d", len(p.paid))}}
}

// payments returns everything that was paid.
func (p *provider) payments() []order {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.paid)
}
