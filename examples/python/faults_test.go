package python

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/faults"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// ledger carries out every transfer that arrives and deduplicates nothing. A transfer without credit is turned away with 401 before anything happens,
// which frees its key.
type ledger struct {
	mu    sync.Mutex
	rows  []string // transfers, in the order of their effects
	wrong []string // what is wrong with requests
}

type receipt struct {
	Row int `json:"row"`
}

func withoutCredit(transfer string) bool {
	return strings.ContainsRune("13579", rune(transfer[len(transfer)-2])) // the last digit before the brace
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	if fault := requestFault(r); fault != "" {
		l.wrong = append(l.wrong, fault)
	}
	if withoutCredit(string(body)) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	l.rows = append(l.rows, string(body))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(receipt{Row: len(l.rows)}) // the client may be gone
}

// requestFault holds the request against docs/protocol.md.
func requestFault(r *http.Request) string {
	key, err := oncehttp.KeyFromHeader(r.Header)
	if err != nil {
		return err.Error()
	}
	if at, ok := key.Stamp(); !ok || time.Since(at).Abs() > time.Minute {
		return fmt.Sprintf("the key's stamp is %v, %v", at, ok)
	}
	if age, err := strconv.Atoi(r.Header.Get(oncehttp.HeaderHorizon)); err != nil || age < 90 || age > 180 {
		return fmt.Sprintf("the horizon is %d s, %v", age, err)
	}
	return ""
}

func (l *ledger) effects(transfer string) (n, row int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, have := range l.rows {
		if have == transfer {
			n, row = n+1, i+1
		}
	}
	return n, row
}

// serve guards the ledger and puts it behind a network with every fault at once. wait returns when no copy is on its way any more.
func serve(t *testing.T, book *ledger) (url string, wait func()) {
	t.Helper()
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ann := func(*http.Request) (string, error) { return "ann", nil }
	once, err := oncehttp.Middleware(guard, oncehttp.Principal("bank", ann), oncehttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	wish := func(r *http.Request) string { return r.Header.Get("X-Transfer") } // keys are new in each run, and faults are to be the same
	network, err := faults.New(once(book), faults.Config{Seed: seed(t), Identity: wish, Faults: []faults.Fault{
		faults.LoseRequest(0.15), faults.LoseReply(0.25), faults.CutReply(0.15), faults.Reset(0.05), faults.Hang(0.01, time.Minute),
		faults.Duplicate(0.2), faults.Delay(0.2, 0, 20*time.Millisecond),
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(network)
	t.Cleanup(func() {
		server.Close()
		_ = network.Close(context.Background())
		_ = guard.Close(context.Background())
	})
	return server.URL + "/transfers", func() {
		if err := network.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// told is a line of what transfers.py prints.
type told struct {
	Transfer, Fate, Reply string
	Unknown, Status       int
}

func transfer(t *testing.T, url string, n int, args ...string) []told {
	t.Helper()
	var lines bytes.Buffer
	for i := range n {
		fmt.Fprintf(&lines, "{\"amount\": 5, \"transfer\": %d}\n", i)
	}
	out := run(t, lines.Bytes(), append([]string{"transfers.py", url, "--workers=16", "--timeout=1.5", "--pause=0.02"}, args...)...)
	var all []told
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var one told
		if err := dec.Decode(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if len(all) != n {
		t.Fatalf("%d transfers, %d fates", n, len(all))
	}
	return all
}

// Every fate that the client tells under every fault at once is what the ledger says.
func TestFatesAgreeWithTheLedger(t *testing.T) {
	t.Parallel()
	book := &ledger{}
	url, wait := serve(t, book)
	all := transfer(t, url, count(120, 2000), "--rounds=12")
	wait()
	unknown, refused := 0, 0
	for _, one := range all {
		unknown += one.Unknown
		effects, row := book.effects(one.Transfer)
		var named receipt
		switch {
		case one.Fate == "executed" && (effects != 1 || json.Unmarshal([]byte(one.Reply), &named) != nil || named.Row != row):
			t.Errorf("%+v: it is in the ledger %d times, in row %d", one, effects, row)
		case one.Fate == "not executed" && effects != 0:
			t.Errorf("%+v: it is in the ledger %d times", one, effects)
		case withoutCredit(one.Transfer) && one.Fate == "executed", !withoutCredit(one.Transfer) && one.Fate != "executed":
			// Of the former no record will ever tell: after a lost reply they stay unknown.
			t.Errorf("%+v: it is in the ledger %d times", one, effects)
		case one.Fate == "not executed":
			refused++
		}
	}
	if unknown == 0 || refused == 0 {
		t.Errorf("%d times unknown on the way, %d not executed: the test shows nothing", unknown, refused)
	}
	for _, fault := range book.wrong {
		t.Error(fault)
	}
	t.Logf("%d transfers, %d times unknown on the way, %d not executed", len(all), unknown, refused)
}

// TestLimitANewKeyForEachTryDoubles: the server cannot know that two keys are one wish. It also shows that the test above can see a double effect.
func TestLimitANewKeyForEachTryDoubles(t *testing.T) {
	t.Parallel()
	book := &ledger{}
	url, wait := serve(t, book)
	all := transfer(t, url, 60, "--rounds=6", "--new-keys")
	wait()
	doubled := 0
	for _, one := range all {
		if n, _ := book.effects(one.Transfer); n > 1 {
			doubled++
		}
	}
	if doubled < 5 {
		t.Errorf("of %d transfers under new keys only %d took effect more than once", len(all), doubled)
	}
	t.Logf("%d of %d transfers took effect more than once", doubled, len(all))
}
