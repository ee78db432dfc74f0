package oncehttp

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// An *http.Client above sees the whole reply, and what is known of the fate.
func TestClientRoundTripper(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(call int, w http.ResponseWriter) bool
		status int // zero: an error
		fate   onceward.Fate
		calls  int
	}{
		"lost":        {func(call int, w http.ResponseWriter) bool { return call <= 2 && breakOff(w, "") }, 201, onceward.Executed, 3},
		"cut":         {func(call int, w http.ResponseWriter) bool { return call == 1 && breakOff(w, cutInBody) }, 201, onceward.Executed, 2},
		"saved 402":   {func(_ int, w http.ResponseWriter) bool { return mark(w, OutcomeSaved, 402) }, 402, onceward.Executed, 1},
		"freed 401":   {func(_ int, w http.ResponseWriter) bool { return mark(w, OutcomeFreed, 401) }, 401, onceward.NotExecuted, 1},
		"freed 503":   {func(_ int, w http.ResponseWriter) bool { return mark(w, OutcomeFreed, 503) }, 503, onceward.NotExecuted, 4},
		"freed 200":   {func(_ int, w http.ResponseWriter) bool { return mark(w, OutcomeFreed, 200) }, 0, onceward.NotExecuted, 1},
		"doubted 500": {func(_ int, w http.ResponseWriter) bool { return mark(w, OutcomeDoubted, 500) }, 0, onceward.Unknown, 4},
		"unknown":     {func(_ int, w http.ResponseWriter) bool { return problemReply(w, 409, "outcome-unknown", false) }, 0, onceward.Unknown, 1},
		"gone":        {func(_ int, w http.ResponseWriter) bool { return problemReply(w, 409, "reply-not-kept", false) }, 0, onceward.Executed, 1},
		"always cut":  {func(_ int, w http.ResponseWriter) bool { return breakOff(w, cutInBody) }, 0, onceward.Unknown, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := startTiny(t, c.answer)
			above := &http.Client{Transport: newTestClient(t, ClientConfig{}).RoundTripper()}
			req := post(t, s.URL, "pay 5")
			resp, err := above.Do(req)
			if len(s.called()) != c.calls || s.keys() != 1 || req.Header.Get(HeaderKey) != "" {
				t.Errorf("%d calls under %d keys; the request has %v", len(s.called()), s.keys(), req.Header)
			}
			if c.status != 0 {
				if err != nil || resp.StatusCode != c.status || resp.Request != req {
					t.Fatalf("%v %v", resp, err)
				}
				if _, err := io.ReadAll(resp.Body); err != nil {
					t.Error(err)
				}
				return
			}
			var unknown *UnknownOutcomeError
			if err == nil || onceward.FateOf(err) != c.fate || errors.As(err, &unknown) != (c.fate == onceward.Unknown) {
				t.Errorf("%v: %v", onceward.FateOf(err), err)
			}
		})
	}
}

const cutInBody = "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\ndone"

// An old 503 must not stand for an end that came after it.
func TestClientRoundTripperDoesNotReturnAnEarlierReply(t *testing.T) {
	var s *tinyServer
	s = startTiny(t, func(_ int, w http.ResponseWriter) bool {
		_ = s.Listener.Close()
		w.Header().Set("Connection", "close")
		return mark(w, OutcomeFreed, 503)
	})
	resp, err := newTestClient(t, ClientConfig{}).RoundTripper().RoundTrip(post(t, s.URL, "pay 5"))
	if resp != nil || onceward.FateOf(err) != onceward.NotExecuted || !errors.Is(err, retry.ErrNotSent) {
		t.Errorf("%v %v", resp, err)
	}
}

func TestClientRoundTripperClosesTheBody(t *testing.T) {
	body := &closing{Reader: strings.NewReader("12345")}
	req, _ := http.NewRequest(http.MethodPost, "ftp://bank.example/", body)
	if _, err := newTestClient(t, ClientConfig{}).RoundTripper().RoundTrip(req); err == nil || !body.closed {
		t.Errorf("%v, closed %v", err, body.closed)
	}
}

func newTestKeyTransport(t *testing.T, c KeyTransportConfig) *KeyTransport {
	t.Helper()
	k, err := NewKeyTransport(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.CloseIdleConnections)
	return k
}

func TestKeyTransportSendsOnce(t *testing.T) {
	const idle = 20
	for _, body := range []string{"", "pay 5"} {
		url, executions := dyingServer(t, idle)
		transport := newTransport()
		warmUp(t, transport, url, idle)
		req, _ := http.NewRequest(http.MethodPost, url, strings.NewReader(body)) // with GetBody, or http.NoBody
		if _, err := SetKey(req, nil); err != nil {
			t.Fatal(err)
		}
		_, err := newTestKeyTransport(t, KeyTransportConfig{Transport: transport}).RoundTrip(req)
		if err == nil || executions.Load() != 1 {
			t.Errorf("%d executions, %v", executions.Load(), err)
		}
	}
}

func TestKeyTransportReadsTheWholeReply(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter) bool
		is     error
	}{
		"whole":     {func(http.ResponseWriter) bool { return false }, nil},
		"cut":       {func(w http.ResponseWriter) bool { return breakOff(w, cutInBody) }, retry.ErrReplyCut},
		"too large": {func(w http.ResponseWriter) bool { _, _ = w.Write(make([]byte, 1001)); return true }, retry.ErrReplyTooLarge},
	} {
		s := startTiny(t, func(_ int, w http.ResponseWriter) bool { return c.answer(w) })
		transport := newTransport()
		transport.MaxConnsPerHost = 1
		k := newTestKeyTransport(t, KeyTransportConfig{Transport: transport, MaxReply: 1000})
		for range 2 {
			req := post(t, s.URL, "pay 5")
			key, err := SetKey(req, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := k.RoundTrip(req)
			if c.is == nil && (err != nil || bodyOf(t, resp) != "done: pay 5") || !errors.Is(err, c.is) {
				t.Errorf("%s: %v", name, err)
			}
			if calls := s.called(); calls[len(calls)-1].Get(HeaderKey) != key.Text() {
				t.Errorf("%s: %v", name, calls)
			}
		}
	}
}

func TestKeyTransportRefusesWhatHasNoKey(t *testing.T) {
	s := startTiny(t, nil)
	k := newTestKeyTransport(t, KeyTransportConfig{})
	body := &closing{Reader: strings.NewReader("12345")}
	req, _ := http.NewRequest(http.MethodPost, s.URL, body)
	if _, err := k.RoundTrip(req); !errors.Is(err, onceward.ErrKeyMissing) || !body.closed || len(s.called()) != 0 {
		t.Errorf("%v, closed %v, %d calls", err, body.closed, len(s.called()))
	}
	req, _ = http.NewRequest(http.MethodGet, s.URL, nil)
	if _, err := k.RoundTrip(req); err != nil {
		t.Errorf("a GET: %v", err)
	}
	req.Header.Set(HeaderKey, "a,b")
	if _, err := k.RoundTrip(req); !errors.Is(err, onceward.ErrKeyInvalid) || len(s.called()) != 1 {
		t.Errorf("a GET with a wrong key: %v", err)
	}
	if _, err := NewKeyTransport(KeyTransportConfig{MaxReply: -1}); err == nil || !strings.Contains(err.Error(), "MaxReply is -1") {
		t.Errorf("%v", err)
	}
}

func TestSetKeyKeepsTheKeyThatIsThere(t *testing.T) {
	req := post(t, "http://bank.example", "pay 5")
	first, err := SetKey(req, nil)
	if err != nil || first.IsZero() {
		t.Fatal(err)
	}
	if again, err := SetKey(req, nil); err != nil || again != first {
		t.Errorf("%v %v", again, err)
	}
	req.Header.Set(HeaderKey, "not one,but two")
	if _, err := SetKey(req, nil); !errors.Is(err, onceward.ErrKeyInvalid) {
		t.Errorf("%v", err)
	}
}
