package demo

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// What certainly was not executed may have a new key: the client is believed when it says so, and the ledger checks it.
func TestNotExecutedGetsANewKey(t *testing.T) {
	cfg := small(7).withDefaults()
	trial := newTrial(cfg, "onceward", orderTransfers(cfg.Seed, 1))
	made, err := newKeyed(trial)("http://127.0.0.1:1") // nobody
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

// An operation whose fate is unknown stands on the disk, the disk is what it is sent again from, and nothing is left there.
func TestUnknownOperationsAreOnTheDisk(t *testing.T) {
	cfg := small(7).withDefaults()
	trial := newTrial(cfg, "onceward", orderTransfers(cfg.Seed, 1))
	var up atomic.Bool
	var keys []string
	bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler)
		}
		keys = append(keys, r.Header.Get(oncehttp.HeaderKey))
		w.WriteHeader(http.StatusCreated)
	}))
	defer bank.Close()
	made, err := newKeyed(trial)(bank.URL)
	if err != nil {
		t.Fatal(err)
	}
	k := made.(*keyed)
	if err := k.send(t.Context(), trial.orders[0]); err != nil {
		t.Fatal(err)
	}
	told := trial.told.given()
	if len(told) != 1 || told[0].fate != onceward.Unknown {
		t.Fatalf("told %v, want unknown", told)
	}
	file := filepath.Join(k.disk, trial.orders[0].name()+".json")
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), told[0].key) {
		t.Fatalf("on the disk: %q, %v", text, err)
	}
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	if err := k.again(t.Context(), saved{transfer: trial.orders[0], file: file}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("sent again without its file: %v", err)
	}
	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	up.Store(true)
	if err := k.resendAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(keys) != 1 || keys[0] != told[0].key {
		t.Errorf("sent again under %q, want %q", keys, told[0].key)
	}
	if left, err := os.ReadDir(k.disk); err != nil || len(left) != 0 {
		t.Errorf("left on the disk: %v, %v", left, err)
	}
	k.close()
	if _, err := os.Stat(k.disk); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
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
