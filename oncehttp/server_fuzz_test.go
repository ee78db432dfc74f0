package oncehttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// FuzzMiddleware sends any request twice, and then another one under its key: whatever stands in it, it runs at most once, its second reply is
// the first, and what is not executed is a problem.
func FuzzMiddleware(f *testing.F) {
	f.Add("k-1", "117", "application/json", "/orders?x=1", []byte(`{"key":"k-1","n":1}`), false)
	f.Add(`"k-1"`, "", "text/plain;charset=utf-8", "/a%2Fb", []byte("x"), false)
	f.Add("once_01h455vb4pex5vsknk084sn02q", "90000", "multipart/form-data; boundary=XX", "/", []byte("--XX\r\n\r\n\r\n1\r\n--XX--\r\n"), false)
	f.Add("once_7zzzzzzzzzzzzzzzzzzzzzzzzz", "-1", "not a media type", "//", []byte{}, false)
	f.Add("a,b", "99999999999999999999", "", "/%", []byte{0xFF}, true)
	f.Add("", "", "application/json", "/", []byte(`{"key":"k-1"}`), true)
	f.Add("", "", "application/json", "/", []byte(`{"key":null,"key":"k-1"}`), true)
	f.Add("k-2", "", "application/json", "/", []byte(`{"key":"k-1"}`), true)
	f.Fuzz(func(t *testing.T, key, horizon, media, target string, body []byte, field bool) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		runs := 0
		cfg := oncehttp.Config{}
		if field {
			cfg.KeyField = "key"
		}
		api := guarded(t, cfg, func(w http.ResponseWriter, _ *http.Request) {
			runs++
			w.Header().Set("Location", "/1")
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte{byte(runs)})
		})
		send := func(path string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "http://shop.example/", strings.NewReader(string(body)))
			r.URL = u.JoinPath(path)
			r.URL.RawQuery = u.RawQuery
			for name, value := range map[string]string{oncehttp.HeaderKey: key, oncehttp.HeaderHorizon: horizon, "Content-Type": media} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			return w
		}
		first, second := send(""), send("")
		switch {
		case runs > 1:
			t.Fatalf("it ran %d times", runs)
		case runs == 0:
			checkProblem(t, first)
			checkProblem(t, second)
			return
		case first.Code != 201 || second.Code != 201 || first.Body.String() != second.Body.String() || second.Header().Get(oncehttp.HeaderReplayed) != "true":
			t.Fatalf("first %d %q, second %d %q %v", first.Code, first.Body, second.Code, second.Body, second.Header())
		}
		if third := send("other"); runs != 1 || third.Code != http.StatusUnprocessableEntity {
			t.Fatalf("another request under the key: %d %q, %d runs", third.Code, third.Body, runs)
		}
	})
}

// guarded is a handler behind the middleware, over an empty store of its own.
func guarded(t *testing.T, cfg oncehttp.Config, h http.HandlerFunc) http.Handler {
	t.Helper()
	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = guard.Close(context.Background()) })
	scope := oncehttp.Principal("orders", func(*http.Request) (string, error) { return "alice", nil })
	once, err := oncehttp.Middleware(guard, scope, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return once(h)
}

func checkProblem(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	var p oncehttp.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code < 400 || p.Status != w.Code || !strings.HasPrefix(p.Type, oncehttp.ProblemBase) {
		t.Fatalf("not executed, but it answers %d %q", w.Code, w.Body)
	}
	if w.Code >= 500 {
		t.Fatalf("a stranger's request makes a fault of ours: %d %q", w.Code, w.Body)
	}
}

// FuzzAdmin asks the admin API anything: it answers in JSON, and the fault is the caller's.
func FuzzAdmin(f *testing.F) {
	const alice = `"service":"orders","principal":"alice","key":"k-1","reason":"r"`
	for _, ask := range [][3]string{
		{"GET", "/records", ""}, {"GET", "/records?class=done&limit=1000&before=2026-11-23T06:00:00Z", ""}, {"GET", "/records?limit=0", ""}, {"GET", "/records?cursor=open:", ""},
		{"GET", "/records?cursor=open:AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ""}, {"GET", "/records?cursor=%ff", ""}, {"GET", "/unknowns?service=orders&principal=alice&limit=5", ""},
		{"GET", "/keys?service=orders&principal=alice&key=k-1&reply=true", ""}, {"GET", "/keys?key=k-1", ""}, {"GET", "/keys?service=orders&principal=alice&key=none", ""},
		{"GET", "/trail?limit=1", ""}, {"GET", "/trail?id=00", ""}, {"GET", "/trail?cursor=18446744073709551615", ""}, {"GET", "/trail?cursor=-1&x=1", ""}, {"GET", "/nowhere", ""}, {"PUT", "/records", ""},
		{"POST", "/cancel", `{` + alice + `}`}, {"POST", "/cancel", `{"service":"orders","principal":"alice","key":"k-2","reason":"r"}`}, {"POST", "/cancel", `{}`}, {"POST", "/cancel", `null`}, {"POST", "/cancel", `{` + alice + `,"x":1}`},
		{"POST", "/release", `{` + alice + `,"version":1}`}, {"POST", "/release", `{` + alice + `,"version":-1}`}, {"POST", "/resolve", `{` + alice + `,"version":1,"happened":false,"attested":true}`},
		{"POST", "/resolve", `{` + alice + `,"version":1,"happened":true,"reply":{"status":200,"header":[{"name":"X-A","value":"1"}],"body":"x"}}`}, {"POST", "/resolve", `{` + alice + `,"version":1,"happened":true,"reply":{"status":204,"body_base64":"!"}}`},
		{"POST", "/resolve", `{` + alice + `,"version":1,"happened":true,"reply":{"status":200,"trailer":[{"name":"a b","value":"\n"},{"name":"Date"}]}}{}`},
	} {
		f.Add(ask[0], ask[1], ask[2])
	}
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
		key, err := onceward.ParseKey("k-1")
		if err != nil {
			t.Fatal(err)
		}
		d.run(key, onceward.DoubtError(nil))
		r := httptest.NewRequest(http.MethodPost, "http://admin.example/", strings.NewReader(body))
		r.Method, r.URL = method, u
		r.Header.Set("X-Actor", "ops@example.com")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		d.api.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code != http.StatusMovedPermanently && w.Code != http.StatusTemporaryRedirect && !json.Valid(w.Body.Bytes()) && method != http.MethodHead {
			t.Fatalf("%s %s: %d %q is not JSON", method, target, w.Code, w.Body)
		}
	})
}
