package oncehttp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
)

// What is in this file broke an earlier version of the client in review.

func reviewed(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// writeGzipped answers with a problem as compression outside of the middleware leaves it.
func writeGzipped(w http.ResponseWriter, err error, encoding string) {
	rec := httptest.NewRecorder()
	writeProblem(rec, err)
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.Header().Del("Content-Length")
	w.Header().Set("Content-Encoding", encoding)
	w.WriteHeader(rec.Code)
	z := gzip.NewWriter(w)
	_, _ = z.Write(rec.Body.Bytes())
	_ = z.Close()
}

func TestClientReviewAProblemThatIsCompressedIsNoAnswer(t *testing.T) {
	for _, encoding := range []string{"gzip", "unheard-of"} {
		for _, problem := range problems {
			url := reviewed(t, func(w http.ResponseWriter, _ *http.Request) {
				writeGzipped(w, &onceward.Error{Op: "x", Err: problem.err}, encoding)
			})
			req := post(t, url, "x")
			req.Header.Set("Accept-Encoding", "gzip") // net/http does not decompress then
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			_, err := newTestClient(t, ClientConfig{Policy: quick}).Do(req.WithContext(ctx))
			cancel()
			if err == nil {
				t.Errorf("%s, %s: nil error", problem.name, encoding)
			}
		}
	}
}

func TestClientReviewAHeadWithAProblemIsNoAnswer(t *testing.T) {
	url := reviewed(t, func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, &onceward.Error{Op: "x", Err: onceward.ErrOutcomeUnknown})
	})
	req, err := http.NewRequest(http.MethodHead, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(HeaderKey, "abc")
	if _, err := newTestClient(t, ClientConfig{Policy: quick}).Do(req); err == nil {
		t.Error("a problem without its body became an answer")
	}
}

func TestClientReviewASwitchedConnectionDoesNotHang(t *testing.T) {
	hold := make(chan struct{})
	url := reviewed(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		<-hold
		c.Close()
	})
	defer close(hold)
	_, err := newTestClient(t, ClientConfig{Policy: quick}).Do(post(t, url, "x"))
	if err == nil || onceward.FateOf(err) != onceward.Unknown {
		t.Errorf("got %v", err)
	}
	transport, err := NewKeyTransport(KeyTransportConfig{})
	if err != nil {
		t.Fatal(err)
	}
	req := post(t, url, "x")
	req.Header.Set(HeaderKey, "k")
	if resp, err := transport.RoundTrip(req); err == nil {
		resp.Body.Close()
		t.Error("a switched connection became a reply")
	}
}

func TestClientReviewSecretsInAnySpellingAreNotSaved(t *testing.T) {
	c := newTestClient(t, ClientConfig{Secrets: []string{"X-API-Key"}})
	req := post(t, "http://example.com/", "x")
	req.Header["X-API-Key"] = []string{"sekrit1"}
	req.Header["authorization"] = []string{"Bearer sekrit2"}
	req.Header["idempotency-key"] = []string{"my-own-key"}
	op, err := c.Prepare(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(op)
	if err != nil || strings.Contains(string(text), "sekrit") {
		t.Errorf("saved %s, %v", text, err)
	}
	if op.Key().Text() != "my-own-key" {
		t.Errorf("key %q", op.Key().Text())
	}
}

func TestClientReviewARedirectIsNoProof(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := reviewed(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/maintenance", status) })
		_, err := newTestClient(t, ClientConfig{Policy: quick}).Do(post(t, url, "x"))
		if onceward.FateOf(err) != onceward.Unknown {
			t.Errorf("%d: fate %v", status, onceward.FateOf(err))
		}
	}
}

// sendsTwice is a transport that sends again by itself when the connection dies.
type sendsTwice struct{ inner http.RoundTripper }

func (s sendsTwice) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	if resp, err := s.inner.RoundTrip(copied); err == nil {
		return resp, nil
	}
	copied = r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	return s.inner.RoundTrip(copied)
}

func TestClientReviewTheReplyOfASecondCopyIsNotTheFirsts(t *testing.T) {
	sends := 0
	url := reviewed(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if sends++; sends == 1 { // executed, the reply lost
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusUnprocessableEntity) // "the name is taken", by the first copy
	})
	_, err := newTestClient(t, ClientConfig{Transport: sendsTwice{newTransport()}, Policy: quick}).Do(post(t, url, "x"))
	if onceward.FateOf(err) != onceward.Unknown || sends != 2 {
		t.Errorf("fate %v after %d sends", onceward.FateOf(err), sends)
	}
}

func TestClientReviewWhatCannotBeSavedAsItIsIsRefused(t *testing.T) {
	c := newTestClient(t, ClientConfig{})
	for name, edit := range map[string]func(r *http.Request){
		"an opaque path":           func(r *http.Request) { r.URL.Opaque = "/a%2Fb" },
		"another host":             func(r *http.Request) { r.URL.Opaque = "//example.org/" },
		"a fragment in the query":  func(r *http.Request) { r.URL.RawQuery = "q=a#b" },
		"bytes in the query":       func(r *http.Request) { r.URL.RawQuery = "q=\xff" },
		"bytes in a header":        func(r *http.Request) { r.Header.Set("X-Name", "M\xfcller") },
		"a line break in a header": func(r *http.Request) { r.Header.Set("X-Name", "a\nb") },
	} {
		req := post(t, "http://example.com/", "x")
		edit(req)
		if op, err := c.Prepare(req); err == nil {
			t.Errorf("%s: prepared %v", name, op)
		} else if onceward.FateOf(err) != onceward.NotExecuted {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClientReviewAHeaderThatCannotBeSentIsProof(t *testing.T) {
	url := reviewed(t, func(http.ResponseWriter, *http.Request) { t.Error("arrived") })
	c := newTestClient(t, ClientConfig{Authorize: func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer from-a-file\n")
		return nil
	}})
	_, err := c.Do(post(t, url, "x"))
	if onceward.FateOf(err) != onceward.NotExecuted || strings.Contains(err.Error(), "from-a-file") {
		t.Errorf("got %v", err)
	}
}
