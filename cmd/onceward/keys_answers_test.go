package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onceward/onceward/oncehttp"
)

// A decision whose answer is lost may have been carried out: that is another end than one that was never sent, and asking again tells.
func TestKeysLostAnswers(t *testing.T) {
	s := memoryStation(t)
	_, id := s.unknown("alice")
	looked := s.at(id)
	s.before(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				next.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // it was carried out, and the connection breaks
		})
	})
	keys(t, append([]string{"resolve", id, "--happened", "--no-reply"}, looked...)...).ends(t, exitUncertain, "may or may not", "onceward keys show "+id)
	s.before(nil)
	if shown := s.record(id); shown.Record.End != "reply-not-kept" {
		t.Errorf("%+v", shown)
	}
	keys(t, append([]string{"resolve", id, "--happened", "--no-reply"}, looked...)...).ends(t, exitConflict, "done already")

	_, id = s.unknown("alice")
	looked = s.at(id)
	for _, status := range []int{500, 503} { // of the API, and of a gateway
		for _, front := range []http.HandlerFunc{
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", oncehttp.ProblemType)
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"type":"about:blank"}`)
			},
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) },
		} {
			s.before(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						front(w, r)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
			keys(t, append([]string{"resolve", id, "--happened", "--no-reply"}, looked...)...).ends(t, exitUncertain)
		}
	}
	s.before(nil)
	s.untouched(id, "unknown")
}

func TestKeysWithoutAnAnswer(t *testing.T) {
	s := memoryStation(t)
	_, id := s.unknown("alice")
	other := func(h http.HandlerFunc) func(http.Handler) http.Handler {
		return func(http.Handler) http.Handler { return h }
	}
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	t.Cleanup(elsewhere.Close)
	for what, c := range map[string]struct {
		code  int
		front http.HandlerFunc
	}{
		"a gateway's 502": {exitNoAnswer, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }},
		"a login":         {exitForbidden, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }},
		"another service": {exitWrong, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
		"a web page":      {exitNoAnswer, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }},
		"a redirect": {exitWrong, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}},
		"a broken line": {exitNoAnswer, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"a cut answer": {exitNoAnswer, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = io.WriteString(w, "{}")
		}},
		"the API's 403":    {exitForbidden, nil},
		"the store's 503":  {exitNoAnswer, nil},
		"nobody listening": {exitNoAnswer, nil},
	} {
		args := []string{"list"}
		switch s.before(other(c.front)); what {
		case "the API's 403":
			s.refuses(http.StatusForbidden, "not you")
		case "the store's 503":
			s.refuses(http.StatusServiceUnavailable, "")
		case "nobody listening":
			args = append(args, "--admin", "http://"+freeAddress(t))
		}
		o := keys(t, args...).ends(t, c.code)
		if o.out != "" || strings.Contains(fmt.Sprint(o.err), "://") {
			t.Errorf("%s: %q, %v", what, o.out, o.err)
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
	s.before(nil)
	s.untouched(id, "unknown")
	if o := keys(t, "list", "--admin", "unix:"+filepath.Join(t.TempDir(), "none")); exitStatus(o.err) != exitNoAnswer {
		t.Errorf("no socket: %v", o.err)
	}
}

// On a Unix socket for operators the server takes the login name, or --actor.
func TestKeysOverAUnixSocket(t *testing.T) {
	s := memoryStation(t)
	_, id := s.unknown("alice")
	looked := s.at(id)
	api, err := oncehttp.Admin(s.guard, oncehttp.ClaimedActor, oncehttp.AdminConfig{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "once.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.Handle("/deep/er/", http.StripPrefix("/deep/er", api))
	server := &http.Server{Handler: mux}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		if _ = server.Close(); !errors.Is(<-served, http.ErrServerClosed) {
			t.Error("the server did not serve")
		}
	})
	t.Setenv(adminVariable, "unix:"+path)
	for _, at := range []string{"unix:" + path, "unix://" + path, "unix:" + path + ":/deep/er", "unix:" + path + ":/deep/er/"} {
		if o := keys(t, "list", "--admin", at).ends(t, 0); !strings.Contains(o.out, id) {
			t.Errorf("%s: %s", at, o.out)
		}
	}
	keys(t, append([]string{"resolve", id, "--did-not-happen"}, looked...)...).ends(t, 0)
	_, id = s.unknown("alice")
	keys(t, "resolve", id, "--did-not-happen", "--yes", "--reason", reason, "--version", fmt.Sprint(s.record(id).Record.Version)).ends(t, 0)
	if trail := s.record(id).Trail; len(trail) != 1 || trail[0].Actor != loginName() || trail[0].Actor == "" {
		t.Errorf("the trail: %v; the login name is %q", trail, loginName())
	}
}

// What the server's login wants comes from the environment or a file, goes with every request, and comes back nowhere.
func TestKeysLogin(t *testing.T) {
	s := memoryStation(t)
	s.before(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer sesame" && r.Header.Get("X-Login") != "sesame" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	headers := file(t, "# for the desk\n\nX-Login:  sesame \r\nX-Other: a:b\n")
	keys(t, "list").ends(t, exitForbidden)
	keys(t, "list", "--headers", headers).ends(t, 0)
	t.Setenv(tokenVariable, "sesame")
	keys(t, "list").ends(t, 0)
	for _, bad := range []string{"sesame", "X Login: sesame", ": sesame", "Authorization: Bearer sesame"} {
		if o := keys(t, "list", "--headers", file(t, bad)).ends(t, exitWrong, "--headers"); strings.Contains(fmt.Sprint(o.err), "sesame") {
			t.Errorf("%q: %v", bad, o.err)
		}
	}
}

// A key in a URL stands in access logs, and one in an error in the log of whoever ran the command.
func TestKeysStayOutOfURLsAndErrors(t *testing.T) {
	s := memoryStation(t)
	key, id := s.unknown("alice")
	version := fmt.Sprint(s.record(id).Record.Version)
	var urls []string
	s.before(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			urls = append(urls, r.URL.String())
			next.ServeHTTP(w, r)
		})
	})
	name := []string{"--service", "payouts", "--principal", "alice", "--key", key}
	decide := []string{"--did-not-happen", "--reason", reason, "--yes", "--version"}
	for _, o := range []output{
		keys(t, "list"), keys(t, "show", id), keys(t, append([]string{"show"}, name...)...),
		keys(t, append(append(append([]string{"resolve"}, name...), decide...), "1")...),     // refused
		keys(t, append(append(append([]string{"resolve"}, name...), decide...), version)...), // not
		keys(t, append(append(append([]string{"resolve"}, name...), decide...), version)...), // a second time
		keys(t, "show", key), keys(t, "show", "--key="+key, key), keys(t, "list", "-"+key[:1]), keys(t, "list", "--limit", key),
	} {
		if strings.Contains(fmt.Sprint(o.err)+o.notes, key) {
			t.Errorf("the key stands in %v, or in %q", o.err, o.notes)
		}
	}
	if len(urls) < 9 || strings.Contains(strings.Join(urls, " "), key) {
		t.Errorf("%d requests: %q", len(urls), urls)
	}
}

// It is the command's purpose: a person has to ask the other side about the key.
func TestLimitKeysShowsKeysToAPerson(t *testing.T) {
	s := memoryStation(t)
	key := minted(t)
	s.call("alice", key, pays)
	id := idOf(t, "alice", key)
	if o := keys(t, "show", id).ends(t, 0); !strings.Contains(o.out, key) || strings.Contains(o.out, "po_4711") {
		t.Errorf("%s", o.out)
	}
	if o := keys(t, "show", id, "--reply").ends(t, 0); !strings.Contains(o.out, "po_4711") {
		t.Errorf("%s", o.out)
	}
	if o := keys(t, "list", "--state", "done").ends(t, 0); strings.Contains(o.out, key) || !strings.Contains(o.out, id) {
		t.Errorf("%s", o.out)
	}
}
