package sidecar

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// behind is what an upstream has got behind a request's body, in order of names.
func behind(trailer http.Header) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(trailer)) {
		out = append(out, name+"="+strings.Join(trailer[name], "+"))
	}
	return strings.Join(out, " ")
}

// showsTrailers answers with what has followed the request, and with its body.
func showsTrailers(t *testing.T, protocols *http.Protocols) *httptest.Server {
	t.Helper()
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		for name := range r.Trailer {
			if _, ok := r.Header[name]; ok {
				t.Errorf("%s is a header as well", name)
			}
		}
		fmt.Fprintf(w, "%s %v %s", body, err, behind(r.Trailer))
	}))
	up.Config.Protocols = protocols
	up.Start()
	t.Cleanup(up.Close)
	return up
}

// Trailers of requests reach the upstream, streamed or keyed, over any protocol on either side. A replay is of the first one's.
func TestTrailersOfRequestsPass(t *testing.T) {
	var h1, h2 http.Protocols
	h1.SetHTTP1(true)
	h2.SetUnencryptedHTTP2(true)
	for to, protocols := range map[string]*http.Protocols{"http": &h1, "h2c": &h2} {
		up := showsTrailers(t, protocols)
		b := start(t, strings.Replace(up.URL, "http", to, 1), nil)
		for from, protocols := range map[string]*http.Protocols{"http": &h1, "h2c": &h2} {
			transport := &http.Transport{Protocols: protocols}
			defer transport.CloseIdleConnections()
			for _, c := range []struct{ method, key, body string }{{"PUT", "", "body"}, {"GET", "", ""}, {"POST", "k", "body"}, {"POST", "empty", ""}, {"POST", "long", strings.Repeat("long", inOnePacket)}} {
				for i, sum := range []string{"1", "2"} {
					r, err := http.NewRequestWithContext(t.Context(), c.method, b.url+"/"+from, nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(strings.NewReader(c.body)), -1, []string{"chunked"}
					if from == "h2c" {
						r.ContentLength = int64(len(c.body))
					}
					r.Header.Set("X-User", "alice")
					if c.key != "" {
						r.Header.Set("Idempotency-Key", from+c.key)
					}
					r.Trailer = http.Header{"X-Sum": {sum}, "Content-Digest": {"d", "e"}, "X-User": {"mallory"}}
					a := read(&http.Client{Transport: transport}, r)
					if c.key != "" {
						sum = "1"
					}
					if want := c.body + " <nil> Content-Digest=d+e X-Sum=" + sum; !a.is(200) || a.body != want || a.replayed() != (c.key != "" && i > 0) {
						t.Errorf("%s → %s, %s %s, %d: %d %s, %v", from, to, c.method, c.key, i, a.StatusCode, a.problem(), a.err)
					}
				}
			}
		}
	}
}

// What a field could do as a header it does not do behind the body, whether it is announced or not.
func TestNoTrailerPassesForAHeader(t *testing.T) {
	up := showsTrailers(t, nil)
	b := start(t, up.URL, func(c *Config) { c.Scope, c.ChildKey = "header:X-User", "X-Child" })
	kept := "X-Forward=x X-Sum=é\tü"
	fields := []string{
		"X-User", "x_user", "X.USER", "X-Child", "X_Child", "Idempotency-Key", "Idempotency_Key", "Idempotent-Replayed", "Onceward-Outcome", "Onceward_Window",
		"Forwarded", "X-Forwarded-For", "X_Forwarded-For", "X-Forwarded-Prefix", "X-Real-IP", "Authorization", "Proxy-Authorization", "Cookie", "X-API-Key",
		"Host", "Connection", "Keep-Alive", "TE", "Upgrade", "HTTP2-Settings", "Content_Length", "Content-Type", "Content-Encoding", "Content-Range", "Expect", "Range",
		"If-Match", "Max-Forwards", "Accept-Encoding", "Cache-Control", "Sec-Fetch-Site", "Location", "X-Mine", "X Space",
	}
	for _, announced := range []string{"", "Trailer: X-Sum, " + strings.Join(fields, ", ") + "\r\n"} {
		for _, head := range []string{"PUT / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nIdempotency-Key: k" + fmt.Sprint(len(announced)) + "\r\n"} {
			request := head + announced + "Host: x\r\nX-User: alice\r\nConnection: close, x-mine\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n" +
				"X-Sum: é\tü\r\nX-Forward: x\r\n" + strings.Join(fields, ": mallory\r\n") + ": mallory\r\n\r\n"
			body := b.rawBody(t, request)
			if want := "body <nil> " + kept; body != want {
				t.Errorf("%s announced %v: %q, want %q", head, announced != "", body, want)
			}
		}
	}
}

// Chunks and trailers that cannot be read are the client's fault, and no news: strangers send them at will.
func TestABrokenBodyIsTheClients(t *testing.T) {
	url, log, stop, ended := runProxy(t, serving(t, nil).URL, func(*Config) {})
	b := &bench{t: t, url: url}
	for _, body := range []string{"5\r\nhello\r\nx\r\n", "0\r\nX-Long: " + strings.Repeat("x", 5000) + "\r\n\r\n", "0\r\nnothing\r\n\r\n"} {
		if got := b.raw(t, "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+body); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20q: %d", body, got.StatusCode)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	close(log.out)
	for line := range log.out {
		if strings.Contains(line, "upstream failed") {
			t.Error(line)
		}
	}
}

// rawBody sends bytes of HTTP/1.1 and reads the reply's body.
func (b *bench) rawBody(t *testing.T, request string) string {
	t.Helper()
	conn := b.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(all), "\r\n\r\n")
	return body
}
