package oncehttp_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
)

func TestAdminNeedsAuthorisation(t *testing.T) {
	guard := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{}).guard
	if _, err := oncehttp.Admin(guard, nil, oncehttp.AdminConfig{}); !errors.Is(err, onceward.ErrConfig) {
		t.Errorf("without authorize: %v", err)
	}
	_, err := oncehttp.Admin(guard, func(*http.Request) (string, error) { return "x", nil }, oncehttp.AdminConfig{MaxBody: -1, Timeout: -1})
	if !errors.Is(err, onceward.ErrConfig) || !strings.Contains(err.Error(), "MaxBody") || !strings.Contains(err.Error(), "Timeout") {
		t.Errorf("faults: %v", err)
	}
}

func TestAdminFailsClosed(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	key := mintKey(t)
	d.run(key, onceward.DoubtError(nil))
	strangers := map[string]func(*http.Request){
		"nobody":      func(r *http.Request) { r.Header.Del("X-Actor") },
		"spaces":      func(r *http.Request) { r.Header.Set("X-Actor", "  ") },
		"an error":    func(r *http.Request) { r.Header.Set("X-Fails", "1") },
		"their word":  func(r *http.Request) { r.Header.Del("X-Actor"); r.URL.RawQuery = "actor=root" },
		"other route": func(r *http.Request) { r.Header.Del("X-Actor"); r.URL.Path = "/nowhere" },
	}
	for name, change := range strangers {
		for _, route := range []struct{ method, path string }{
			{"GET", "/unknowns"}, {"GET", "/records"}, {"GET", "/keys"}, {"GET", "/trail"}, {"POST", "/resolve"}, {"POST", "/release"}, {"POST", "/cancel"},
		} {
			status, h, out := d.ask(route.method, route.path, "{}", change)
			if status != 403 || h.Get("Content-Type") != oncehttp.ProblemType || strings.Contains(fmt.Sprint(out), "directory") {
				t.Errorf("%s at %s: %d %v", name, route.path, status, out)
			}
		}
	}
	if record, trail := d.show(key); record["state"] != "unknown" || len(trail) != 0 {
		t.Errorf("a stranger changed %v %v", record, trail)
	}
}

func TestAdminRefusesWhatItDoesNotUnderstand(t *testing.T) {
	d := newDesk(t, onceward.Config{MaxReply: 1000}, oncehttp.AdminConfig{MaxBody: 5000})
	key := mintKey(t)
	d.run(key, onceward.DoubtError(nil))
	op := fmt.Sprintf(`"service":"orders","principal":"alice","key":%q,"version":1,"reason":"r"`, key.Text())
	keys := "/keys?service=orders&principal=alice&key=" + key.Text()
	cases := []struct {
		name, method, target, body string
		status                     int
		detail                     string
	}{
		{"no such route", "GET", "/", "", 404, "route"},
		{"wrong method", "POST", "/unknowns", "{}", 405, "GET"},
		{"wrong method for a decision", "GET", "/resolve", "", 405, "POST"},
		{"unknown parameter", "GET", "/unknowns?princpal=alice", "", 400, "princpal"},
		{"doubled parameter", "GET", "/unknowns?service=a&service=b", "", 400, "service"},
		{"limit", "GET", "/unknowns?limit=1001", "", 400, "1000"},
		{"limit zero", "GET", "/unknowns?limit=0", "", 400, "limit"},
		{"class", "GET", "/records?class=all", "", 400, "class"},
		{"before", "GET", "/records?before=yesterday", "", 400, "before"},
		{"cursor", "GET", "/unknowns?cursor=nonsense", "", 400, "ursor"},
		{"id", "GET", "/trail?id=ab", "", 400, "id"},
		{"id of an operation", "GET", "/keys?id=ab", "", 400, "64 hexadecimal"},
		{"id and a name", "GET", keys + "&id=" + strings.Repeat("ab", 32), "", 400, "either"},
		{"id of nothing", "GET", "/keys?id=" + strings.Repeat("ab", 32), "", 404, "nothing is known"},
		{"no key", "GET", "/keys?service=orders&principal=alice", "", 400, "key"},
		{"no principal", "GET", "/keys?service=orders&key=k", "", 400, "Principal"},
		{"reply", "GET", keys + "&reply=perhaps", "", 400, "reply"},
		{"unknown member", "POST", "/resolve", "{" + op + `,"happend":true}`, 400, "happend"},
		{"actor in the body", "POST", "/resolve", "{" + op + `,"happened":true,"actor":"root"}`, 400, "actor"},
		{"no word on what happened", "POST", "/resolve", "{" + op + "}", 400, "happened"},
		{"no reason", "POST", "/resolve", `{"service":"orders","principal":"alice","key":"k","version":1,"happened":true,"reason":" "}`, 400, "reason"},
		{"no version", "POST", "/release", `{"service":"orders","principal":"alice","key":"k","reason":"r"}`, 400, "version"},
		{"version to a cancel", "POST", "/cancel", "{" + op + "}", 400, "version"},
		{"bad key", "POST", "/cancel", `{"service":"orders","principal":"alice","key":"a b","reason":"r"}`, 400, "key"},
		{"attested and happened", "POST", "/resolve", "{" + op + `,"happened":true,"attested":true}`, 400, "attested"},
		{"reply to nothing", "POST", "/resolve", "{" + op + `,"happened":false,"reply":{"status":200}}`, 400, "reply"},
		{"status of a reply", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"body":"x"}}`, 400, "status"},
		{"header of a reply", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"status":200,"header":[{"name":"A b","value":"c"}]}}`, 400, "header"},
		{"line break in a reply", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"status":200,"header":[{"name":"A","value":"b\r\nc"}]}}`, 400, "header"},
		{"cookie in a reply", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"status":200,"header":[{"name":"set-cookie","value":"c"}]}}`, 400, "Set-Cookie"},
		{"body of a 204", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"status":204,"body":"x"}}`, 400, "body"},
		{"two bodies", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"status":200,"body":"x","body_base64":"eA=="}}`, 400, "base64"},
		{"large reply", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"status":200,"body":"` + strings.Repeat("x", 1000) + `"}}`, 400, "1000"},
		{"long reason", "POST", "/cancel", fmt.Sprintf(`{"service":"orders","principal":"alice","key":"k","reason":%q}`, strings.Repeat("r", store.MaxReason+1)), 400, "Reason"},
		{"happened and not", "POST", "/resolve", "{" + op + `,"happened":true,"happened":false}`, 400, "\"happened\" stands twice"},
		{"happened and not, escaped", "POST", "/resolve", "{" + op + `,"happened":true,"h\u0061ppened":false}`, 400, "stands twice"},
		{"happened and Happened", "POST", "/resolve", "{" + op + `,"happened":true,"Happened":false}`, 400, "Happened"},
		{"a long s", "POST", "/resolve", "{" + op + `,"happened":true,"attested":false,"atteſted":true}`, 400, "lower case"},
		{"two principals", "POST", "/cancel", `{"principal":"bob","service":"orders","principal":"alice","key":"k","reason":"r"}`, 400, "principal"},
		{"two statuses", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"status":200,"status":500}}`, 400, "status"},
		{"two names of a field", "POST", "/resolve", "{" + op + `,"happened":true,"reply":{"status":200,"header":[{"name":"A","value":"b"},{"name":"B","name":"A","value":"b"}]}}`, 400, "name"},
		{"not UTF-8", "POST", "/cancel", "{\"service\":\"orders\",\"principal\":\"ali\xffce\",\"key\":\"k\",\"reason\":\"r\"}", 400, "UTF-8"},
		{"two objects", "POST", "/resolve", "{" + op + `,"happened":true}{}`, 400, "follows"},
		{"not JSON", "POST", "/resolve", "happened=true", 400, "body"},
		{"large body", "POST", "/resolve", `{"reason":"` + strings.Repeat("r", 6000) + `"}`, 413, "large"},
	}
	for _, c := range cases {
		status, h, out := d.ask(c.method, c.target, c.body, nil)
		if status != c.status || h.Get("Content-Type") != oncehttp.ProblemType || out["status"] != float64(c.status) || !strings.Contains(fmt.Sprint(out["detail"]), c.detail) {
			t.Errorf("%s: %d %v, want %d with %q", c.name, status, out, c.status, c.detail)
		}
	}
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		status, _, out := d.ask("POST", "/resolve", "{"+op+`,"happened":true}`, func(r *http.Request) { r.Header.Set("Content-Type", media) })
		if status != 415 {
			t.Errorf("a page of another site could send %q: %d %v", media, status, out)
		}
	}
	if record, trail := d.show(key); record["state"] != "unknown" || len(trail) != 0 {
		t.Errorf("a refused request changed %v %v", record, trail)
	}
}
