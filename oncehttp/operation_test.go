package oncehttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

func TestOperationSurvivesACrash(t *testing.T) {
	s := startTiny(t, func(call int, w http.ResponseWriter) bool { return call <= 4 && breakOff(w, "") })
	client := newTestClient(t, ClientConfig{Secrets: []string{"x-api-key"}})
	req := post(t, strings.Replace(s.URL, "http://", "http://ann:word@", 1)+"/pay?to=bob", "pay 5")
	req.Header.Set("Cookie", "session=sesame")
	req.Header.Set("X-Api-Key", "sesame")
	req.Header.Set("X-Kept", "yes")
	op, err := client.Prepare(req)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := json.Marshal(op)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(saved), "sesame") || strings.Contains(string(saved), "word") || strings.Contains(string(saved), "Authorization") {
		t.Errorf("secrets in %s", saved)
	}
	if _, err = client.Send(t.Context(), op); onceward.FateOf(err) != onceward.Unknown {
		t.Fatalf("%v", err)
	}
	if user, password, _ := (&http.Request{Header: s.called()[0]}).BasicAuth(); user != "ann" || password != "word" || s.called()[0].Get("Cookie") == "" {
		t.Errorf("the secrets were not sent: %v", s.called()[0])
	}

	var read Operation
	if err := json.Unmarshal(saved, &read); err != nil {
		t.Fatal(err)
	}
	resp, err := newTestClient(t, ClientConfig{}).Send(t.Context(), read.WithSecrets(http.Header{"X-Api-Key": {"other"}}))
	if err != nil || bodyOf(t, resp) != "done: pay 5" || s.ran() != 1 || read.Key() != op.Key() {
		t.Errorf("%v, %d effects", err, s.ran())
	}
	if last := s.called()[len(s.called())-1]; last.Get("X-Kept") != "yes" || last.Get("X-Api-Key") != "other" {
		t.Errorf("%v", last)
	}
}

func TestOperationReadBackMayHaveBeenSent(t *testing.T) {
	s := startTiny(t, nil)
	client := newTestClient(t, ClientConfig{})
	op, _ := client.Prepare(post(t, s.URL, "pay 5"))
	saved, _ := json.Marshal(op)
	s.Close()
	var read Operation
	if err := json.Unmarshal(saved, &read); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Send(t.Context(), &read); onceward.FateOf(err) != onceward.Unknown || !errors.Is(err, retry.ErrNotSent) {
		t.Errorf("%v", err)
	}
	if _, err := client.Send(t.Context(), op); onceward.FateOf(err) != onceward.NotExecuted {
		t.Errorf("the one that was not read back: %v", err)
	}
}

func TestOperationRefusesWhatIsNotWhole(t *testing.T) {
	op, _ := newTestClient(t, ClientConfig{}).Prepare(post(t, "http://bank.example/pay", "pay 5"))
	saved, _ := json.Marshal(op)
	change := func(name string, value any) []byte {
		var m map[string]any
		_ = json.Unmarshal(saved, &m)
		if value == nil {
			delete(m, name)
		} else {
			m[name] = value
		}
		b, _ := json.Marshal(m)
		return b
	}
	for name, text := range map[string][]byte{
		"another version": change("version", 2), "no version": change("version", nil), "another body": change("body", []byte("pay 6")),
		"no hash": change("body_sha256", nil), "no key": change("key", nil), "a wrong key": change("key", "a b"), "no method": change("method", nil),
		"no mint time": change("minted", nil), "no URL": change("url", nil), "a wrong URL": change("url", "ftp://x/"), "cut": saved[:len(saved)/2],
		"a second key": change("header", http.Header{"idempotency-key": {"k-2"}}), "a key beside its own": change("header", http.Header{HeaderKey: {"k-2"}}),
		"a line break": change("header", http.Header{"X-A": {"a\nb"}}),
	} {
		read := *op
		if err := json.Unmarshal(text, &read); err == nil {
			t.Errorf("%s: read", name)
		} else if strings.Contains(err.Error(), op.Key().Text()) {
			t.Errorf("%s: the key is in %v", name, err)
		}
		if read.Key() != op.Key() {
			t.Errorf("%s: changed the operation", name)
		}
	}
}

func TestOperationDoesNotPrint(t *testing.T) {
	op, _ := newTestClient(t, ClientConfig{}).Prepare(post(t, "http://bank.example/private?q=private", "private"))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("sent", "op", op)
	slog.New(slog.NewTextHandler(&log, nil)).Info("sent", "op", op)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&log, verb, op)
	}
	if strings.Contains(log.String(), op.Key().Text()) || strings.Contains(log.String(), "private") || !strings.Contains(log.String(), "bank.example") {
		t.Errorf("%s", log.String())
	}
}

// The caller goes on using its bytes, its headers and its URL.
func TestOperationIsFrozen(t *testing.T) {
	own := []byte("pay 5")
	var req *http.Request
	s := startTiny(t, func(call int, w http.ResponseWriter) bool {
		copy(own, "PAY 9")
		req.Header.Set("X-Kept", "changed")
		req.URL.Path = "/changed"
		return call <= 2 && breakOff(w, "")
	})
	req, _ = http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, bytes.NewReader(own))
	req.Header.Set("X-Kept", "yes")
	if _, err := newTestClient(t, ClientConfig{}).Do(req); err != nil {
		t.Fatal(err)
	}
	for i := range s.called() {
		if s.got()[i] != "pay 5" || s.called()[i].Get("X-Kept") != "yes" {
			t.Errorf("call %d: %q %v", i, s.got()[i], s.called()[i])
		}
	}
}

// closing tells whether it was closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestPrepareRefuses(t *testing.T) {
	client := newTestClient(t, ClientConfig{MaxBody: 10})
	broken := errors.New("disk gone")
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		body   io.Reader
		is     error
	}{
		{"a body over the limit", nil, strings.NewReader("12345678901"), onceward.ErrBodyTooLarge},
		{"a body that breaks off", nil, io.MultiReader(strings.NewReader("1"), brokenReader{broken}), broken},
		{"a body shorter than announced", func(r *http.Request) { r.ContentLength = 7 }, strings.NewReader("123"), errBodyLength},
		{"an empty key", func(r *http.Request) { r.Header.Set(HeaderKey, "") }, strings.NewReader("1"), onceward.ErrKeyInvalid},
		{"two keys", func(r *http.Request) { r.Header[HeaderKey] = []string{"a", "b"} }, strings.NewReader("1"), onceward.ErrKeyInvalid},
		{"another scheme", func(r *http.Request) { r.URL.Scheme = "ftp" }, strings.NewReader("1"), errURL},
		{"a method with a line break", func(r *http.Request) { r.Method = "POST\r\nX" }, strings.NewReader("1"), errMethod},
		{"trailers", func(r *http.Request) { r.Trailer = http.Header{"X": nil} }, strings.NewReader("1"), errRequestTrailer},
	} {
		body := &closing{Reader: c.body}
		req, _ := http.NewRequest(http.MethodPost, "http://bank.example/", body)
		if c.change != nil {
			c.change(req)
		}
		_, err := client.Do(req)
		if !errors.Is(err, c.is) || onceward.FateOf(err) != onceward.NotExecuted || !body.closed {
			t.Errorf("%s: %v, closed %v", c.name, err, body.closed)
		}
	}
	body := &closing{Reader: strings.NewReader("1234567890")}
	req, _ := http.NewRequest(http.MethodPost, "http://bank.example/", body)
	if _, err := client.Prepare(req); err != nil || !body.closed {
		t.Errorf("a body at the limit: %v, closed %v", err, body.closed)
	}
	if _, err := client.Send(t.Context(), &Operation{}); onceward.FateOf(err) != onceward.NotExecuted {
		t.Errorf("no operation: %v", err)
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }
