package faults_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/onceward/onceward/faults"
)

func TestOnly(t *testing.T) {
	var bank ledger
	n := newNetwork(t, &bank, faults.Config{
		Faults: []faults.Fault{faults.LoseRequest(1)},
		// The second and third would exclude each other in one mux, the fourth is there twice.
		Only: []string{"POST /transfers/{id}", "/a/{x}/", "/{y}/b/", "/orders/", "/orders/"},
	})
	for _, tt := range []struct {
		method, path string
		struck       bool
	}{
		{"POST", "/transfers/7", true},
		{"GET", "/transfers/7", false},
		{"POST", "/transfers/", false},
		{"POST", "/transfers/7/items", false},
		{"POST", "/orders/7/items", true},
		{"DELETE", "/orders/", true},
		{"POST", "/orders", false}, // ServeMux would redirect it
		{"POST", "/a/b/", true},
		{"POST", "/z/b/", true},
		{"POST", "/", false},
	} {
		before := len(bank.executed())
		aborted := serve(n, httptest.NewRecorder(), httptest.NewRequest(tt.method, tt.path, http.NoBody))
		executed := len(bank.executed()) - before
		if aborted != tt.struck || (executed == 0) != tt.struck {
			t.Errorf("%s %s: aborted %v, executed %d times; want struck = %v", tt.method, tt.path, aborted, executed, tt.struck)
		}
	}
	if s := n.Stats(); s.Arrivals != 5 || s.Outside != 5 || s.Struck["lose-request"] != 5 {
		t.Errorf("stats %+v", s)
	}
}

func TestOnlyRefusesWhatIsNoPattern(t *testing.T) {
	_, err := faults.New(&ledger{}, faults.Config{Only: []string{"/transfers/*", "POST", "", "/fine/", "/{"}})
	if !errors.Is(err, faults.ErrConfig) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{`"/transfers/*" has a *`, `"POST" is no pattern`, `"" is no pattern`, `"/{" is no pattern`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "/fine/") {
		t.Errorf("a good pattern is refused:\n%v", err)
	}
}

// Every count agrees with the log, and what is configured is counted also when it never strikes.
func TestStatsAgreeWithTheLog(t *testing.T) {
	var log events
	n := newNetwork(t, &ledger{}, faults.Config{
		Seed: 5, MaxBody: 12, Log: log.add,
		Faults: []faults.Fault{faults.LoseReply(0.3), faults.CutReply(0), faults.Duplicate(0.5)},
	})
	for _, key := range strings.Split(strings.Repeat("1 22 333 4444 55555 666666 7777777 88888888 ", 5)+"end", " ") {
		serve(n, httptest.NewRecorder(), request(key, "/"))
	}
	if err := n.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	struck, skipped := map[string]uint64{}, map[string]uint64{}
	for _, e := range log.list() {
		if e.Skipped {
			skipped[e.Fault]++
		} else {
			struck[e.Fault]++
		}
	}
	s := n.Stats()
	if s.Arrivals != 41 || s.Outside != 0 || len(s.Struck) != 3 {
		t.Errorf("stats %+v", s)
	}
	for name, got := range s.Struck {
		if got != struck[name] || s.Skipped[name] != skipped[name] {
			t.Errorf("%s: counted %d and %d skipped, the log has %d and %d", name, got, s.Skipped[name], struck[name], skipped[name])
		}
	}
	if struck["lose-reply"] == 0 || struck["duplicate"] == 0 || skipped["duplicate"] == 0 {
		t.Errorf("the log shows too little: %v, skipped %v", struck, skipped)
	}
}
