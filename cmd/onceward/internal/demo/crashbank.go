package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/onceward/onceward/retry"
)

// headerHold asks the bank to stop in the middle of a transfer, until the caller's connection is gone or somebody kills the bank: so that a kill
// certainly meets a request under way. The bank says on its output when it has stopped. It goes on after holdLimit: a copy that should not have come
// is to be counted, and not to stand there for ever.
const (
	headerHold = "X-Hold"
	holdLimit  = 2 * time.Second
)

// Where it stops.
const (
	holdBefore = "before" // the money moves, if the bank lives on
	holdAfter  = "after"  // the money has moved, and nobody gets the reply
)

// What the bank's process says on its output.
const (
	saysListening = "listening "
	saysHolding   = "holding "
)

// bankDrain bounds the end of the bank's process, when its last transfers are under way.
const bankDrain = 5 * time.Second

// ServeBank is the bank as a process of its own: it listens on address, appends its ledger to a file, and ends when in does, which is also when the
// process that started it has died.
func ServeBank(ctx context.Context, address, ledger string, in io.Reader, out io.Writer) error {
	books, err := openLedgerFile(ledger)
	if err != nil {
		return err
	}
	clock := retry.Clock{}.WithDefaults()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return errors.Join(err, books.file.Close())
	}
	b := &bank{ledger: books, wanted: MaxRequests, diary: newDiary(clock.Now), clock: clock}
	server := &http.Server{Handler: b.holding(out), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(out, "%s%s\n", saysListening, l.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), bankDrain)
		defer cancel()
		served <- server.Shutdown(ending)
	}()
	err = <-served
	if errors.Is(err, http.ErrServerClosed) {
		err = <-served
	}
	return errors.Join(err, books.file.Close())
}

// holding stops where a request asks for it.
func (b *bank) holding(out io.Writer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOrder)) // to its end, or the server would not see the connection close
		if err != nil {
			http.Error(w, "not a transfer", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		stop := func() {
			fmt.Fprintf(out, "%s%s\n", saysHolding, r.Header.Get(headerTransfer))
			_ = b.clock.Sleep(r.Context(), holdLimit) // whoever hangs up ends it too
		}
		if r.Header.Get(headerHold) == holdBefore {
			stop()
		}
		b.ServeHTTP(w, r)
		if r.Header.Get(headerHold) == holdAfter {
			stop() // the reply is small: net/http sends it when this handler returns
		}
	})
}

// ledgerFile is a ledger that outlives its process: each row is one write, which a SIGKILL cannot take back. It only grows and compares nothing.
type ledgerFile struct {
	mu   sync.Mutex
	file *os.File
	rows int
}

// ledgerRow is a line of the file.
type ledgerRow struct {
	order

	Key string `json:"key"`
}

func openLedgerFile(name string) (*ledgerFile, error) {
	before, err := readLedgerFile(name)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return &ledgerFile{file: file, rows: len(before)}, err
}

func (l *ledgerFile) move(t transfer, key string) int {
	text, err := json.Marshal(ledgerRow{order{Transfer: t.name(), From: t.from, To: t.to, Amount: t.amount}, key})
	if err != nil {
		panic(err) // it has only numbers and texts
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		panic(http.ErrAbortHandler) // a bank that cannot write answers nobody
	}
	l.rows++
	return l.rows
}

// readLedgerFile returns the rows. There are none if there is no file yet.
func readLedgerFile(name string) (entries []entry, err error) {
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var r ledgerRow
		err := json.Unmarshal([]byte(line), &r)
		number, ok := numberOf(r.Transfer, MaxRequests)
		if err != nil || !ok {
			return nil, fmt.Errorf("the ledger has a line that is no transfer: %q: %w", line, err)
		}
		entries = append(entries, entry{transfer{number: number, from: r.From, to: r.To, amount: r.Amount}, r.Key})
	}
	return entries, nil
}
