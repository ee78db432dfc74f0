package oncehttp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// otherRequests differ from the test's own request in one point each.
var otherRequests = map[string]func(*http.Request){
	"body":         func(r *http.Request) { setBody(r, `{"a":1,"b":3}`) },
	"white space":  func(r *http.Request) { setBody(r, `{"a":1, "b":2}`) },
	"no body":      func(r *http.Request) { setBody(r, "") },
	"query":        func(r *http.Request) { r.URL.RawQuery = "x=2" },
	"no query":     func(r *http.Request) { r.URL.RawQuery = "" },
	"method":       func(r *http.Request) { r.Method = http.MethodPatch },
	"host":         func(r *http.Request) { r.Host = "other.example" },
	"path":         func(r *http.Request) { r.URL.Path = "/refunds" },
	"escaped path": func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/orders", "/%6Frders" },
	"content type": func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
	"charset":      func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=latin1") },
}

func setBody(r *http.Request, body string) {
	other, _ := http.NewRequest(r.Method, "http://x", strings.NewReader(body))
	r.Body, r.ContentLength, r.GetBody = other.Body, other.ContentLength, other.GetBody
}

func TestHTTPAnotherRequestIsRefused(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, created)
		first := s.post("k", `{"a":1,"b":2}`)
		for name, change := range otherRequests {
			t.Run(name, func(t *testing.T) {
				wantProblem(t, s.send(s.request("k", `{"a":1,"b":2}`, change)), 422, "key-reused", false)
			})
		}
		sameReply(t, first, s.post("k", `{"a":1,"b":2}`))
		s.ranTimes(1)
	})
}

func TestHTTPAnotherRequestIsRefusedWhileInFlight(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		running, finish := make(chan struct{}), make(chan struct{})
		s := n.serve(onceward.Config{Wait: time.Minute}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
			close(running)
			<-finish
			created(w, r)
		})
		first := make(chan answer)
		go func() { first <- s.post("k", `{"a":1,"b":2}`) }()
		<-running
		for name, change := range otherRequests { // with a wait of a minute, only an immediate refusal passes
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				wantProblem(t, s.send(s.request("k", `{"a":1,"b":2}`, change).WithContext(ctx)), 422, "key-reused", false)
			})
		}
		close(finish)
		sameReply(t, <-first, s.post("k", `{"a":1,"b":2}`))
		s.ranTimes(1)
	})
}

func TestHTTPAnotherMemberOrderIsHinted(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, created)
		s.post("k", `{"a":1,"b":{"c":2,"d":[3]}}`)
		hinted := func(body string) bool {
			a := s.post("k", body)
			wantProblem(t, a, 422, "key-reused", false)
			return strings.Contains(a.problem(t).Detail, "another order of members")
		}
		if !hinted(`{"b":{"d":[3],"c":2},"a":1}`) {
			t.Error("no hint at the order")
		}
		if hinted(`{"a":1,"b":{"c":3,"d":[2]}}`) {
			t.Error("a hint at the order of another body")
		}
		s.ranTimes(1)
	})
}

func TestHTTPAnotherMultipartBoundaryReplays(t *testing.T) {
	form := func(boundary, amount string) func(*http.Request) {
		return func(r *http.Request) {
			var buf bytes.Buffer
			m := multipart.NewWriter(&buf)
			_ = m.SetBoundary(boundary)
			_ = m.WriteField("amount", amount)
			part, _ := m.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="a"`}})
			_, _ = part.Write([]byte("\x00\r\n--data"))
			_ = m.Close()
			setBody(r, buf.String())
			r.Header.Set("Content-Type", m.FormDataContentType())
		}
	}
	eachNetwork(t, func(t *testing.T, n network) {
		s := n.serve(onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("paid " + r.FormValue("amount")))
		})
		first := s.send(s.request("k", "", form("first-boundary", "5")))
		if first.body != "paid 5" {
			t.Fatalf("%q", first.body)
		}
		sameReply(t, first, s.send(s.request("k", "", form("second-boundary", "5"))))
		wantProblem(t, s.send(s.request("k", "", form("third-boundary", "6"))), 422, "key-reused", false)
		s.ranTimes(1)
	})
}

// builds is a store as servers of three builds see it: one knows the fingerprint's version 1, a later one also version 2, which comes first in
// what it sends, and a last one version 2 only.
type builds struct {
	store.Store
	knows atomic.Pointer[[]uint8]
}

func (b *builds) deploy(versions ...uint8) { b.knows.Store(&versions) }

func (b *builds) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	v1 := q.Fingerprints[0]
	v2 := store.Fingerprint{Version: 2, Sum: sha256.Sum256(v1.Sum[:])}
	q.Fingerprints = nil
	for _, version := range *b.knows.Load() {
		q.Fingerprints = append(q.Fingerprints, map[uint8]store.Fingerprint{1: v1, 2: v2}[version])
	}
	return b.Store.Claim(ctx, q)
}

func TestHTTPFingerprintVersionsCompareAcrossBuilds(t *testing.T) {
	eachNetwork(t, func(t *testing.T, n network) {
		st := &builds{Store: memstore.New(memstore.Config{})}
		s := n.over(st, onceward.Config{}, oncehttp.Config{}, created)
		for _, c := range []struct {
			key         string
			then, later []uint8
		}{
			{"upgraded", []uint8{1}, []uint8{2, 1}},
			{"rolled back within two versions", []uint8{2, 1}, []uint8{2}},
		} {
			key := strings.ReplaceAll(c.key, " ", "-")
			st.deploy(c.then...)
			first := s.post(key, "x")
			st.deploy(c.later...)
			sameReply(t, first, s.post(key, "x"))
			wantProblem(t, s.post(key, "y"), 422, "key-reused", false)
		}
		st.deploy(2, 1)
		s.post("newer", "x")
		st.deploy(1) // rolled back to a build that cannot read the record's version: no answer is better than a wrong one
		wantProblem(t, s.post("newer", "x"), 503, "store-unavailable", false)
		s.ranTimes(3)
	})
}
