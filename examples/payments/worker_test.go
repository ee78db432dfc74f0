package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
)

// newTestWorker has a client that is asked twice for each payout.
func newTestWorker(t *testing.T, b *bank, provider http.HandlerFunc) *worker {
	t.Helper()
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	client, err := oncehttp.NewClient(oncehttp.ClientConfig{Policy: retry.Policy{Attempts: 2, Base: time.Millisecond, OverloadBase: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return &worker{ledger: b.ledger, client: client, url: server.URL}
}

// A provider that does not answer, or answers that it has trouble, has not declined: the money stays away, and the next try has the same key.
func TestNoAnswerIsNoRefusal(t *testing.T) {
	banks(t, func(t *testing.T, b *bank) {
		p := b.payout(t)
		var n atomic.Int64
		w := newTestWorker(t, b, func(w http.ResponseWriter, r *http.Request) {
			if key := r.Header.Get(oncehttp.HeaderKey); key != p.Key {
				t.Errorf("key %q, want the payout's", key)
			}
			switch n.Add(1) {
			case 1, 2:
				panic(http.ErrAbortHandler)
			case 3, 4:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 5:
				w.WriteHeader(http.StatusInternalServerError)
			default:
				answer(w, http.StatusCreated, map[string]string{"payment": "pay_1"})
			}
		})
		for range 3 {
			if found, err := w.next(t.Context()); !found || err != nil {
				t.Errorf("found %v, %v", found, err)
			}
			b.want(t, pending, 950_00)
		}
		if found, err := w.next(t.Context()); !found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
		b.want(t, paid, 950_00)
	})
}

// The provider forgets keys after a day, and would then pay again. The worker's client knows how old a child key is, because it is stamped like its parent.
func TestTheWorkerStopsBeforeTheProviderForgets(t *testing.T) {
	b, err := openMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	parent, err := onceward.TypeID{Clock: func() time.Time { return time.Now().Add(-25 * time.Hour) }}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	child, err := onceward.ChildKey(onceward.Scope{Service: "payments", Principal: "alice"}, parent, "pay")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.ledger.payOut(t.Context(), order{From: "alice", To: "the dentist", Cents: 50_00, Reference: "tooth"}, child); err != nil {
		t.Fatal(err)
	}
	w := newTestWorker(t, b, func(http.ResponseWriter, *http.Request) { t.Error("the provider was asked") })
	if found, err := w.next(t.Context()); !found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	b.want(t, pending, 950_00)
}

// A worker that cannot write down what it was told says so, and the payout stays.
func TestAFailedSettlementIsToldAndTriedAgain(t *testing.T) {
	b, err := openMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.payout(t)
	w := newTestWorker(t, b, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusCreated, map[string]string{"payment": "pay_1"})
	})
	w.ledger = &stage{ledger: b.ledger, settling: func() error { return errWorkerDied }}
	if _, err := w.next(t.Context()); !errors.Is(err, errWorkerDied) {
		t.Error(err)
	}
	b.want(t, pending, 950_00)
}
