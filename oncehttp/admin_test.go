package oncehttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// desk is a guard and its admin API, without sockets.
type desk struct {
	t     *testing.T
	api   http.Handler
	guard *onceward.Guard
	table *memstore.Store
}

var alice = onceward.Scope{Service: "orders", Principal: "alice"}

func newDesk(t *testing.T, cfg onceward.Config, acfg oncehttp.AdminConfig) *desk {
	t.Helper()
	d := &desk{t: t, table: memstore.New(memstore.Config{})}
	var err error
	if d.guard, err = onceward.New(d.table, cfg); err != nil {
		t.Fatal(err)
	}
	d.api, err = oncehttp.Admin(d.guard, func(r *http.Request) (string, error) {
		if r.Header.Get("X-Fails") != "" {
			return "root", errors.New("the directory does not answer")
		}
		return r.Header.Get("X-Actor"), nil
	}, acfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.guard.Close(context.Background()) })
	return d
}

// run carries an operation out to the given end.
func (d *desk) run(key onceward.Key, out onceward.Outcome) {
	d.t.Helper()
	call := onceward.Call{Scope: alice, Key: key, Fingerprint: onceward.BytesFingerprint("text/plain", []byte("x"))}
	_, _ = d.guard.Do(context.Background(), call, func(context.Context, onceward.Attempt) onceward.Outcome { return out })
}

// claimed leaves a claim that never started and has lapsed: its owner has been killed.
func (d *desk) claimed(key onceward.Key) {
	d.t.Helper()
	explicit, err := d.guard.With(func(c *onceward.Config) { c.ExplicitStart = true })
	if err != nil {
		d.t.Fatal(err)
	}
	call := onceward.Call{Scope: alice, Key: key, Fingerprint: onceward.BytesFingerprint("text/plain", []byte("x"))}
	_, _ = explicit.Do(context.Background(), call, func(context.Context, onceward.Attempt) onceward.Outcome { return onceward.DoubtError(nil) })
}

// ask sends a request as ops and reads the JSON of the answer.
func (d *desk) ask(method, target, body string, change func(*http.Request)) (int, http.Header, map[string]any) {
	d.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("X-Actor", "ops@example.com")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	d.api.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		d.t.Fatalf("%s %s: %d %q", method, target, w.Code, w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		d.t.Errorf("%s %s may be cached or sniffed: %v", method, target, w.Header())
	}
	return w.Code, w.Header(), out
}

func (d *desk) get(target string) map[string]any {
	d.t.Helper()
	status, _, out := d.ask(http.MethodGet, target, "", nil)
	if status != 200 {
		d.t.Fatalf("GET %s: %d %v", target, status, out)
	}
	return out
}

// show is GET /keys for alice's key.
func (d *desk) show(key onceward.Key) (record map[string]any, trail []any) {
	d.t.Helper()
	out := d.get("/keys?service=orders&principal=alice&key=" + url.QueryEscape(key.Text()))
	return out["record"].(map[string]any), out["trail"].([]any)
}

func (d *desk) decide(path string, key onceward.Key, members string) (int, map[string]any) {
	d.t.Helper()
	body := fmt.Sprintf(`{"service":"orders","principal":"alice","key":%q,%s}`, key.Text(), members)
	status, _, out := d.ask(http.MethodPost, path, body, nil)
	return status, out
}

func mintKey(t *testing.T) onceward.Key {
	t.Helper()
	key, err := onceward.TypeID{}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAdminShowsAnUnknownAndResolvesIt(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	key := mintKey(t)
	d.run(key, onceward.DoubtError(nil))
	page := d.get("/unknowns?service=orders&principal=alice")
	records := page["records"].([]any)
	if len(records) != 1 {
		t.Fatalf("unknowns: %v", page)
	}
	listed := records[0].(map[string]any)
	version := listed["version"].(float64)
	for member, want := range map[string]any{
		"service": "orders", "principal": "alice", "key": key.Text(), "state": "unknown", "policy": "unknown", "doubted": false,
		"lapsed": true, "claims": 1.0, "safe_new_key": false,
	} {
		if listed[member] != want {
			t.Errorf("%s is %v, want %v", member, listed[member], want)
		}
	}
	for _, member := range []string{"first_seen", "lease_until", "minted_at", "id"} {
		if listed[member] == nil {
			t.Errorf("%s is missing: %v", member, listed)
		}
	}

	members := fmt.Sprintf(`"version":%.0f,"happened":true,"reason":"the bank has it",
		"reply":{"status":201,"header":[{"name":"content-type","value":"text/plain"}],"body":"charged"}`, version)
	status, out := d.decide("/resolve", key, members)
	record := out["record"].(map[string]any)
	if status != 200 || record["state"] != "done" || record["end"] != "reply" || record["purge_at"] == nil || record["reply"] != nil {
		t.Fatalf("resolve: %d %v", status, out)
	}
	result, err := d.guard.Do(context.Background(), onceward.Call{
		Scope: alice, Key: key, Fingerprint: onceward.BytesFingerprint("text/plain", []byte("x")),
	}, nil)
	if err != nil || !result.Replayed || result.Reply.Status != 201 || string(result.Reply.Body) != "charged" ||
		len(result.Reply.Header) != 1 || result.Reply.Header[0].Name != "Content-Type" {
		t.Errorf("callers get %+v %v", result, err)
	}

	_, trail := d.show(key)
	if len(trail) != 1 {
		t.Fatalf("trail %v", trail)
	}
	entry := trail[0].(map[string]any)
	if entry["actor"] != "ops@example.com" || entry["reason"] != "the bank has it" || entry["action"] != "resolved as happened" {
		t.Errorf("entry %v", entry)
	}
}

func TestAdminResolvedAsNotHappened(t *testing.T) {
	for attested, safe := range map[string]bool{"true": true, "false": false} {
		d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
		key := mintKey(t)
		d.run(key, onceward.DoubtError(nil))
		record, _ := d.show(key)
		status, out := d.decide("/resolve", key, fmt.Sprintf(`"version":%.0f,"happened":false,"attested":%s,"reason":"the bank has none"`, record["version"], attested))
		record, _ = out["record"].(map[string]any)
		if status != 200 || record["end"] != "not-executed" || record["safe_new_key"] != safe {
			t.Errorf("attested %s: %d %v", attested, status, out)
		}
	}
}

func TestAdminDecidesOnlyAboutTheVersionThatWasLookedAt(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	key := mintKey(t)
	d.run(key, onceward.DoubtError(nil))
	record, _ := d.show(key)
	version := record["version"].(float64)
	status, out := d.decide("/resolve", key, fmt.Sprintf(`"version":%.0f,"happened":true,"reason":"r"`, version+1))
	now, _ := out["record"].(map[string]any)
	if status != 409 || now["version"] != version || now["state"] != "unknown" {
		t.Errorf("another version: %d %v", status, out)
	}
	if status, out = d.decide("/resolve", key, fmt.Sprintf(`"version":%.0f,"happened":true,"reason":"r"`, version)); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	status, out = d.decide("/resolve", key, fmt.Sprintf(`"version":%.0f,"happened":false,"reason":"r"`, version))
	now, _ = out["record"].(map[string]any)
	if status != 409 || now["state"] != "done" || now["end"] != "reply-not-kept" || !strings.Contains(fmt.Sprint(out["detail"]), "done already") {
		t.Errorf("decided twice: %d %v", status, out)
	}
}

// Only what never started may be freed.
func TestAdminReleasesOnlyALapsedClaim(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	started, claimed := mintKey(t), mintKey(t)
	d.run(started, onceward.DoubtError(nil))
	d.claimed(claimed)
	record, _ := d.show(started)
	status, out := d.decide("/release", started, fmt.Sprintf(`"version":%.0f,"reason":"stuck"`, record["version"]))
	if status != 409 || !strings.Contains(fmt.Sprint(out["detail"]), "resolve it") {
		t.Errorf("a started operation was released: %d %v", status, out)
	}
	record, _ = d.show(claimed)
	if record["state"] != "claimed" || record["lapsed"] != true {
		t.Fatalf("not a lapsed claim: %v", record)
	}
	if status, out = d.decide("/release", claimed, fmt.Sprintf(`"version":%.0f,"reason":"stuck"`, record["version"].(float64)+1)); status != 409 {
		t.Errorf("another version: %d %v", status, out)
	}
	if status, out = d.decide("/release", claimed, fmt.Sprintf(`"version":%.0f,"reason":"stuck"`, record["version"])); status != 200 {
		t.Fatalf("release: %d %v", status, out)
	}
	record, trail := d.show(claimed)
	if record["state"] != "absent" || len(trail) != 1 || trail[0].(map[string]any)["action"] != "released" {
		t.Errorf("afterwards %v %v", record, trail)
	}
}

func TestAdminCancels(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	absent, claimed, started := mintKey(t), mintKey(t), mintKey(t)
	d.claimed(claimed)
	d.run(started, onceward.DoubtError(nil))
	for _, key := range []onceward.Key{absent, claimed} {
		status, out := d.decide("/cancel", key, `"reason":"the order is withdrawn"`)
		record, _ := out["record"].(map[string]any)
		if status != 200 || record["end"] != "cancelled" || record["safe_new_key"] != true {
			t.Errorf("%d %v", status, out)
		}
		ran := false
		call := onceward.Call{Scope: alice, Key: key, Fingerprint: onceward.BytesFingerprint("text/plain", []byte("x"))}
		_, err := d.guard.Do(context.Background(), call, func(context.Context, onceward.Attempt) onceward.Outcome {
			ran = true
			return onceward.DoubtError(nil)
		})
		if ran || !errors.Is(err, onceward.ErrNotExecuted) {
			t.Errorf("a late copy: %v", err)
		}
	}
	if status, out := d.decide("/cancel", started, `"reason":"r"`); status != 409 {
		t.Errorf("a started operation was cancelled: %d %v", status, out)
	}
	old, err := onceward.TypeID{Clock: func() time.Time { return time.Now().Add(-48 * time.Hour) }}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	if status, out := d.decide("/cancel", old, `"reason":"r"`); status != 409 {
		t.Errorf("an expired key: %d %v", status, out)
	}
	if trail := d.get("/trail")["entries"].([]any); len(trail) != 2 {
		t.Errorf("trail %v", trail)
	}
}

func TestAdminShowsAReplyOnlyIfAsked(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	text, bytes := mintKey(t), mintKey(t)
	d.run(text, onceward.Save(onceward.Reply{Status: 200, Header: []onceward.Field{{Name: "X-A", Value: "1"}}, Body: []byte("secret")}))
	d.run(bytes, onceward.Save(onceward.Reply{Status: 200, Body: []byte{0xFF, 0}}))
	for _, target := range []string{"/keys?service=orders&principal=alice&key=" + text.Text(), "/records?class=done"} {
		status, _, out := d.ask(http.MethodGet, target, "", nil)
		if status == 200 && strings.Contains(fmt.Sprint(out), "secret") {
			t.Errorf("%s shows the reply: %v", target, out)
		}
	}
	asked := func(key onceward.Key) map[string]any {
		out := d.get("/keys?service=orders&principal=alice&reply=true&key=" + key.Text())
		return out["record"].(map[string]any)["reply"].(map[string]any)
	}
	if reply := asked(text); reply["body"] != "secret" || reply["status"] != 200.0 || !strings.Contains(fmt.Sprint(reply["header"]), "X-A") {
		t.Errorf("asked for: %v", reply)
	}
	if reply := asked(bytes); reply["body_base64"] != "/wA=" || reply["body"] != nil {
		t.Errorf("bytes: %v", reply)
	}
}

// The token is what proves a claim: who has it can end somebody else's run.
func TestAdminNeverShowsAToken(t *testing.T) {
	seed := strings.Repeat("\xAB", 1<<16)
	d := newDesk(t, onceward.Config{Rand: strings.NewReader(seed)}, oncehttp.AdminConfig{})
	key := mintKey(t)
	d.run(key, onceward.DoubtError(nil))
	for _, target := range []string{"/unknowns", "/records", "/trail", "/keys?reply=true&service=orders&principal=alice&key=" + key.Text()} {
		_, _, out := d.ask(http.MethodGet, target, "", nil)
		text := strings.ToLower(fmt.Sprint(out))
		for _, trace := range []string{"abababab", "q6urq6ur", "171 171", "token", "fingerprint"} {
			if strings.Contains(text, trace) {
				t.Errorf("%s shows %s: %s", target, trace, text)
			}
		}
	}
}

func TestAdminKeyInTheHeaderStaysOutOfTheURL(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	key := mintKey(t)
	d.run(key, onceward.DoubtError(nil))
	inHeader := func(r *http.Request) { r.Header.Set(oncehttp.HeaderKey, key.Text()) }
	status, _, out := d.ask(http.MethodGet, "/keys?service=orders&principal=alice", "", inHeader)
	if status != 200 || out["record"].(map[string]any)["state"] != "unknown" {
		t.Errorf("%d %v", status, out)
	}
	if status, _, out = d.ask(http.MethodGet, "/keys?service=orders&principal=alice&key=other", "", inHeader); status != 400 {
		t.Errorf("two keys: %d %v", status, out)
	}
}

func TestAdminListsProblemsFirstAndPages(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	for range 3 {
		d.run(mintKey(t), onceward.DoubtError(nil))
	}
	for range 2 {
		d.claimed(mintKey(t))
	}
	var states []string
	seen := map[string]bool{}
	cursor := ""
	for range 10 {
		page := d.get("/records?limit=2&cursor=" + url.QueryEscape(cursor))
		for _, r := range page["records"].([]any) {
			record := r.(map[string]any)
			states = append(states, record["state"].(string))
			seen[record["id"].(string)] = true
		}
		if cursor, _ = page["next"].(string); cursor == "" {
			break
		}
	}
	if got := strings.Join(states, " "); got != "unknown unknown unknown claimed claimed" || len(seen) != 5 || cursor != "" {
		t.Errorf("listed %s, %d different, cursor %q", got, len(seen), cursor)
	}
	before := url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339))
	if page := d.get("/records?class=unknown&before=" + before); len(page["records"].([]any)) != 0 {
		t.Errorf("older than an hour: %v", page)
	}
	if page := d.get("/unknowns?principal=bob"); len(page["records"].([]any)) != 0 {
		t.Errorf("bob's: %v", page)
	}
}

func TestAdminWithoutItsStore(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	_ = d.guard.Close(context.Background())
	status, _, out := d.ask(http.MethodGet, "/unknowns", "", nil)
	if status != 503 {
		t.Errorf("%d %v", status, out)
	}
	if status, out = d.decide("/cancel", mintKey(t), `"reason":"r"`); status != 503 {
		t.Errorf("%d %v", status, out)
	}
}

func TestAdminShowsAnAbsentAndASealedKey(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	if record, _ := d.show(mintKey(t)); record["state"] != "absent" || record["sealed"] != nil || record["key"] == "" {
		t.Errorf("never seen: %v", record)
	}
	key := mintKey(t)
	if _, err := d.table.Seal(context.Background(), "orders", store.TimeOf(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	if record, _ := d.show(key); record["state"] != "absent" || record["sealed"] != true {
		t.Errorf("sealed: %v", record)
	}
}

// docs/operations.md names every route, and every member of a record.
func TestAdminIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	members := reflect.TypeFor[oncehttp.AdminRecord]()
	words := []string{"GET /unknowns", "GET /records", "GET /keys", "GET /trail", "POST /resolve", "POST /release", "POST /cancel"}
	for i := range members.NumField() {
		name, _, _ := strings.Cut(members.Field(i).Tag.Get("json"), ",")
		words = append(words, "`"+name+"`")
	}
	for _, word := range words {
		if !strings.Contains(string(text), word) {
			t.Errorf("docs/operations.md does not say what %s is", word)
		}
	}
}
