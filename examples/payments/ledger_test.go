package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// banks opens one of each kind.
func banks(t *testing.T, test func(t *testing.T, b *bank)) {
	t.Run("memory", func(t *testing.T) {
		b, err := openMemory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		test(t, b)
	})
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.Shared(t).MustDatabase(t)
		pool, err := pgxpool.New(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		err = migrate(t.Context(), pool)
		pool.Close()
		if err != nil {
			t.Fatal(err)
		}
		b, err := openPostgres(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		test(t, b)
	})
}

// payout orders a payout of 50.00 and returns the only one that is due.
func (b *bank) payout(t *testing.T) payout {
	t.Helper()
	key, err := onceward.TypeID{}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	call := onceward.Call{Scope: onceward.Scope{Service: "payments", Principal: "alice"}, Key: key, Fingerprint: onceward.BytesFingerprint("payout", []byte("tooth"))}
	_, err = b.executor.Do(t.Context(), call, func(ctx context.Context, _ onceward.Attempt) onceward.Outcome {
		child, err := onceward.Child(ctx, "pay")
		if err == nil {
			_, err = b.ledger.payOut(ctx, order{From: "alice", To: "the dentist", Cents: 50_00, Reference: "tooth"}, child)
		}
		if err != nil {
			return onceward.FreeError(err)
		}
		return onceward.Save(onceward.Reply{Status: http.StatusAccepted})
	})
	if err != nil {
		t.Fatal(err)
	}
	p, ok, err := b.ledger.due(t.Context())
	if err != nil || !ok {
		t.Fatalf("nothing is due: %v", err)
	}
	return p
}

// want checks the payout's state and what alice has.
func (b *bank) want(t *testing.T, state string, cents int64) {
	t.Helper()
	books, err := b.ledger.statement(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(books.Payouts) != 1 || books.Payouts[0].State != state || books.Accounts["alice"].Cents != cents {
		t.Errorf("payouts %+v, alice has %d; want %s and %d", books.Payouts, books.Accounts["alice"].Cents, state, cents)
	}
	if faults := books.balanceFaults(); len(faults) > 0 {
		t.Error(faults)
	}
}

// Two workers may have had the same payout. The first answer settles it; the money comes back once.
func TestAPayoutIsSettledOnce(t *testing.T) {
	banks(t, func(t *testing.T, b *bank) {
		p := b.payout(t)
		b.want(t, pending, 950_00)
		for _, s := range []settlement{{State: declined}, {State: declined}, {State: paid, Payment: "pay_1"}} {
			if err := b.ledger.settle(t.Context(), p, s); err != nil {
				t.Error(err)
			}
			b.want(t, declined, 1_000_00)
		}
		if _, ok, err := b.ledger.due(t.Context()); ok || err != nil {
			t.Errorf("a settled payout is due: %v", err)
		}
	})
}

// A payout that cannot be is no row in the outbox.
func TestNoPayoutWithoutMoney(t *testing.T) {
	banks(t, func(t *testing.T, b *bank) {
		service, err := newService(b.executor, b.ledger)
		if err != nil {
			t.Fatal(err)
		}
		for body, want := range map[string]int{
			`{"to":"the dentist","cents":100001,"reference":"tooth"}`: http.StatusPaymentRequired,
			`{"to":"the dentist","cents":-1,"reference":"tooth"}`:     http.StatusBadRequest,
		} {
			w := postTo(service, "/payouts", "alice", body)
			if w.Code != want {
				t.Errorf("%s: %d %s, want %d", body, w.Code, w.Body, want)
			}
		}
		if w := postTo(service, "/transfers", "alice", `{"to":"nobody","cents":1,"reference":"x"}`); w.Code != http.StatusNotFound {
			t.Errorf("to nobody: %d %s", w.Code, w.Body)
		}
		books, err := b.ledger.statement(t.Context())
		if err != nil || len(books.Payouts) != 0 || len(books.Bookings) != 0 {
			t.Errorf("%+v, %v", books, err)
		}
	})
}

// postTo sends one request under a new key.
func postTo(h http.Handler, path, who, body string) *httptest.ResponseRecorder {
	key, err := onceward.TypeID{}.Mint()
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set(oncehttp.HeaderKey, key.Text())
	r.Header.Set(headerCustomer, who)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
