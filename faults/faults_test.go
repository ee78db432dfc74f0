package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/onceward/onceward/faults"
)

// ledger is an upstream that counts what it executes and does not deduplicate.
type ledger struct {
	mu     sync.Mutex
	bodies []string
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	l.mu.Lock()
	l.bodies = append(l.bodies, string(body))
	n := len(l.bodies)
	l.mu.Unlock()
	w.Header().Set("X-Execution", fmt.Sprint(n))
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, reply)
}

func (l *ledger) executed() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.bodies...)
}

const reply = "this reply is long enough to be cut in the middle"

// events is a log that may be read while the network writes it.
type events struct {
	mu  sync.Mutex
	all []faults.Event
}

func (e *events) add(event faults.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) list() []faults.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]faults.Event(nil), e.all...)
}

func newNetwork(t *testing.T, upstream http.Handler, cfg faults.Config) *faults.Network {
	t.Helper()
	n, err := faults.New(upstream, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// protocols are the wires that an abort must work on.
var protocols = []string{"HTTP/1.1", "HTTP/2.0"}

// wire is a server on a real socket before h, a client for it, and a count of its connections.
type wire struct {
	*httptest.Server
	client *http.Client
	mu     sync.Mutex
	conns  int
}

func newWire(t *testing.T, protocol string, h http.Handler) *wire {
	t.Helper()
	var p http.Protocols
	p.SetHTTP1(protocol == "HTTP/1.1")
	p.SetUnencryptedHTTP2(protocol == "HTTP/2.0")
	w := &wire{Server: httptest.NewUnstartedServer(h)}
	w.Config.Protocols = &p
	w.Start()
	transport := &http.Transport{Protocols: &p}
	dialed := transport.DialContext
	if dialed == nil {
		dialed = newDialer()
	}
	transport.DialContext = w.counting(dialed)
	w.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		w.Close()
	})
	return w
}

// post sends one request without GetBody, so that the transport cannot send it again by itself.
func (w *wire) post(ctx context.Context, path, key, body string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL+path, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return nil, "", err
	}
	req.ContentLength = int64(len(body))
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp, string(got), err
}

// serve calls h as net/http does and says whether it aborted.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		switch fault := recover(); fault {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(fault)
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

func request(key, path string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("body of "+key))
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	return r
}

func TestNewNamesEverythingThatIsWrong(t *testing.T) {
	_, err := faults.New(nil, faults.Config{
		Faults: []faults.Fault{
			faults.LoseReply(0.7), faults.CutReply(0.6), faults.LoseRequest(-0.1), faults.Duplicate(1.5),
			faults.Delay(0.1, 2, 1), faults.Delay(0.1, 1, 2), {},
		},
		MaxBody:       -1,
		MaxIdentities: 1,
	})
	if !errors.Is(err, faults.ErrConfig) {
		t.Fatalf("%v is not ErrConfig", err)
	}
	for _, want := range []string{
		"upstream is nil", "MaxBody is -1", "MaxIdentities is 1", "lose-request is -0.1", "duplicate is 1.5", "from 2ns to 1ns",
		"delay is given twice", "cut-reply 0.6, lose-reply 0.7 add up to 1.3", "empty Fault",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

func TestNewAcceptsTheBounds(t *testing.T) {
	newNetwork(t, &ledger{}, faults.Config{})
	newNetwork(t, &ledger{}, faults.Config{Faults: []faults.Fault{
		faults.LoseRequest(0.1), faults.LoseReply(0.2), faults.CutReply(0.7), // their sum is a little over 1 in binary
		faults.Duplicate(1), faults.Delay(0, 0, 0),
	}})
}
