package oncehttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// A log has the id and nothing else: it leads to the operation, also to one that only the trail knows.
func TestAdminFindsAnOperationByItsID(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	held, freed, done := mintKey(t), mintKey(t), mintKey(t)
	d.run(held, onceward.DoubtError(nil))
	d.run(done, onceward.Save(onceward.Reply{Status: 200, Body: []byte("secret")}))
	d.claimed(freed)
	record, _ := d.show(freed)
	if status, out := d.decide("/release", freed, fmt.Sprintf(`"version":%.0f,"reason":"stuck"`, record["version"])); status != 200 {
		t.Fatalf("release: %d %v", status, out)
	}
	for state, key := range map[string]onceward.Key{"unknown": held, "done": done, "absent": freed} {
		id := alice.Identity(key).ID.String()
		out := d.get("/keys?id=" + id)
		record, trail := out["record"].(map[string]any), out["trail"].([]any)
		if record["state"] != state || record["key"] != key.Text() || record["principal"] != "alice" || record["id"] != id || (len(trail) == 1) != (state == "absent") {
			t.Errorf("%s: %v", state, out)
		}
		if strings.Contains(fmt.Sprint(out), "secret") {
			t.Errorf("it shows the reply unasked: %v", out)
		}
	}
	out := d.get("/keys?reply=true&id=" + alice.Identity(done).ID.String())
	if reply, _ := out["record"].(map[string]any)["reply"].(map[string]any); reply["body"] != "secret" {
		t.Errorf("the reply, asked for: %v", out)
	}
	inHeader := func(r *http.Request) { r.Header.Set(oncehttp.HeaderKey, done.Text()) }
	if status, _, out := d.ask(http.MethodGet, "/keys?id="+alice.Identity(held).ID.String(), "", inHeader); status != 400 {
		t.Errorf("an id and another key: %d %v", status, out)
	}
}

// Ages are told by the store's clock, and not by that of whoever looks.
func TestAdminTellsTheStoresTime(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	key := mintKey(t)
	d.run(key, onceward.DoubtError(nil))
	for _, target := range []string{"/unknowns", "/records", "/keys?service=orders&principal=alice&key=" + url.QueryEscape(key.Text())} {
		now, err := time.Parse(time.RFC3339, fmt.Sprint(d.get(target)["now"]))
		if err != nil || time.Since(now).Abs() > time.Minute {
			t.Errorf("%s: now %v, %v", target, now, err)
		}
	}
}

// Who decided is the server's word, and the answer tells it.
func TestAdminSaysWhoDecided(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	key := mintKey(t)
	body := fmt.Sprintf(`{"service":"orders","principal":"alice","key":%q,"reason":"withdrawn"}`, key.Text())
	status, _, out := d.ask(http.MethodPost, "/cancel", body, func(r *http.Request) { r.Header.Set(oncehttp.HeaderActor, "root") })
	_, trail := d.show(key)
	if entry := trail[0].(map[string]any); status != 200 || out["actor"] != "ops@example.com" || entry["actor"] != "ops@example.com" {
		t.Errorf("%d %v, trail %v", status, out, trail)
	}
}

// On a socket for operators alone everybody is who they say, and has to say it.
func TestClaimedActor(t *testing.T) {
	d := newDesk(t, onceward.Config{}, oncehttp.AdminConfig{})
	api, err := oncehttp.Admin(d.guard, oncehttp.ClaimedActor, oncehttp.AdminConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for want, values := range map[int][][]string{200: {{"zoë"}}, 403: {nil, {""}, {" "}, {"alice", "bob"}}} {
		for _, names := range values {
			r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/unknowns", nil)
			r.Header[oncehttp.HeaderActor] = names
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%q: %d, want %d", names, w.Code, want)
			}
		}
	}
}
