package demo

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// What certainly was not executed may have a new key: the client is believed when it says so, and the ledger checks it.
func TestNotExecutedGetsANewKey(t *testing.T) {
	cfg := small(7).withDefaults()
	trial := newTrial(cfg, "onceward", orderTransfers(cfg.Seed, 1))
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	made, err := newKeyed(trial)("http://" + nobody.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer made.close()
	k := made.(*keyed)
	if err := k.send(t.Context(), trial.orders[0]); err != nil {
		t.Fatal(err)
	}
	var keys []string
	answer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get(oncehttp.HeaderKey))
		w.WriteHeader(http.StatusCreated)
	}))
	defer answer.Close()
	k.url = answer.URL
	if err := k.resendAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := trial.told.given()
	if len(told) != 2 || told[0].fate != onceward.NotExecuted || told[1].fate != onceward.Executed || len(keys) != 1 || keys[0] == told[0].key {
		t.Errorf("told %d ends, %d arrived: want not executed, then executed under another key", len(told), len(keys))
	}
}

// The two halves are told apart by what stands in the ledger: the same call twice.
func TestTheGuardDeduplicatesAndTheBankDoesNot(t *testing.T) {
	cfg := small(7).withDefaults()
	for name, want := range map[string]int{"guarded": 1, "unguarded": 2} {
		trial := newTrial(cfg, name, orderTransfers(cfg.Seed, 1))
		half := unguarded
		if name == "guarded" {
			half = guarded(trial)
		}
		s, err := half(&bank{ledger: trial.ledger, wanted: 1, diary: trial.diary, clock: cfg.Clock})
		if err != nil {
			t.Fatal(err)
		}
		key, err := onceward.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			req, err := newRequest(t.Context(), "http://bank/transfers", trial.orders[0])
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(oncehttp.HeaderKey, key.Text())
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, req)
			if w.Code != http.StatusCreated {
				t.Errorf("%s: status %d", name, w.Code)
			}
		}
		if got := len(trial.ledger.rows()); got != want {
			t.Errorf("%s: %d rows, want %d", name, got, want)
		}
		if err := s.end(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
