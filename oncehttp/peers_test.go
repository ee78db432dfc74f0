package oncehttp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// The tests TestPeers… are failures that were found in the field, by running other implementations of the same idea or reading their sources. Each is
// named after the failure that must not happen here. This file has those of requests and replies, peers_store_test.go those of stores and
// owners, peers_time_test.go those in which time matters.

func TestPeersClientTimeoutDoesNotCancelTheSave(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-finish
		if err := r.Context().Err(); err != nil {
			t.Errorf("the handler's context ended with the client's: %v", err)
		}
		fmt.Fprint(w, "done")
	})
	p.hangUp("k", "x", running)
	close(finish)
	wantReply(t, p.post("k", "x"), 200, "done", true)
	p.wantRuns(1)
}

func TestPeersWriteHeaderThenCopyReplaysBody(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		if _, err := io.Copy(w, strings.NewReader("the order")); err != nil {
			t.Error(err)
		}
	})
	wantReply(t, p.post("k", "x"), 201, "the order", false)
	wantReply(t, p.post("k", "x"), 201, "the order", true)
}

func TestPeersOtherPrincipalGetsNoReply(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "the account of %s", r.Header.Get("X-User"))
	})
	wantReply(t, p.post("k", "x"), 200, "the account of alice", false)
	bob := func() answer {
		return p.send(p.request("k", "x", func(r *http.Request) { r.Header.Set("X-User", "bob") }))
	}
	wantReply(t, bob(), 200, "the account of bob", false)
	wantReply(t, bob(), 200, "the account of bob", true)
	wantReply(t, p.post("k", "x"), 200, "the account of alice", true)
	p.wantRuns(2)
}

func TestPeersMissingScopeIsNotGlobal(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, created)
	for range 2 {
		a := p.send(p.request("k", "x", func(r *http.Request) { r.Header.Del("X-User") }))
		wantProblem(t, a, 403, "scope-missing", false)
	}
	p.wantRuns(0)
	if _, err := oncehttp.Middleware(p.guard, nil, oncehttp.Config{}); err == nil {
		t.Error("a middleware without a scope was built")
	}
}

func TestPeersOtherMethodOrPathGetsNoReply(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, created)
	p.post("k", "x")
	for name, change := range map[string]func(*http.Request){
		"method": func(r *http.Request) { r.Method = http.MethodPatch },
		"path":   func(r *http.Request) { r.URL.Path = "/refunds" },
	} {
		t.Run(name, func(t *testing.T) { wantProblem(t, p.send(p.request("k", "x", change)), 422, "key-reused", false) })
	}
	p.wantRuns(1)
}

func TestPeersOtherQueryDoesNotReplay(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, created)
	p.post("k", "x")
	wantProblem(t, p.send(p.request("k", "x", func(r *http.Request) { r.URL.RawQuery = "x=2" })), 422, "key-reused", false)
	p.wantRuns(1)
}

func TestPeersOtherBodyIs422AndDoesNotRun(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	p := onSocket(t, onceward.Config{Wait: onceward.NoWait}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-finish
		created(w, r)
	})
	first := p.later("k", "pay 5")
	<-running
	wantProblem(t, p.post("k", "pay 6"), 422, "key-reused", false) // also while the first is at work
	close(finish)
	wantReply(t, <-first, 201, "created pay 5", false)
	wantProblem(t, p.post("k", "pay 6"), 422, "key-reused", false)
	wantReply(t, p.post("k", "pay 5"), 201, "created pay 5", true)
	p.wantRuns(1)
}

func TestPeersUndelimitedHashDoesNotCollide(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s has %s", r.Header.Get("X-User"), r.Header.Get(oncehttp.HeaderKey))
	})
	as := func(user, key string) answer {
		return p.send(p.request(key, "x", func(r *http.Request) { r.Header.Set("X-User", user) }))
	}
	for i, who := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"abc", "ab"}, {"a:b", "c"}, {"a", "b:c"}, {"a/b", "c"}, {"a", "b/c"}, {"a|b", "c"}, {"a", "b|c"}} {
		wantReply(t, as(who[0], who[1]), 200, who[0]+" has "+who[1], false)
		p.wantRuns(int64(i) + 1)
	}

	// The same bytes, cut elsewhere, are another request.
	parts := func(path, query, media, body string) answer {
		return p.send(p.request("parts", body, func(r *http.Request) {
			r.URL.Path, r.URL.RawQuery = path, query
			r.Header.Set("Content-Type", media)
		}))
	}
	wantReply(t, parts("/ab", "c=d", "text/plain", "x"), 200, "alice has parts", false)
	for _, a := range []answer{parts("/a", "bc=d", "text/plain", "x"), parts("/ab", "c=dtext/plain", "", "x"), parts("/ab", "c=d", "text/plainx", ""), parts("/ab", "", "text/plain", "c=dx")} {
		wantProblem(t, a, 422, "key-reused", false)
	}
}

func TestPeersKeysNeedNotBeUUIDs(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, created)
	for _, key := range []string{"1", "order-4711", "6f9619ff-8b86-d011-b42d-00c04fc964ff", strings.Repeat("k", 255)} {
		wantReply(t, p.post(key, "x"), 201, "created x", false)
		wantReply(t, p.post(key, "x"), 201, "created x", true)
	}
	p.wantRuns(4)
}

func TestPeersReplayCarriesAMark(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, created)
	first, again := p.post("k", "x"), p.post("k", "x")
	if first.Header.Get(oncehttp.HeaderReplayed) != "" || again.Header.Get(oncehttp.HeaderReplayed) != "true" {
		t.Errorf("marks %q and %q", first.Header.Get(oncehttp.HeaderReplayed), again.Header.Get(oncehttp.HeaderReplayed))
	}
}

func TestPeersReplayKeepsContentType(t *testing.T) {
	for _, media := range []string{"application/vnd.orders+json; charset=utf-8", ""} { // "": found out from the body, as net/http does
		p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			if media != "" {
				w.Header().Set("Content-Type", media)
			}
			fmt.Fprint(w, "<html>")
		})
		first, again := p.post("k", "x"), p.post("k", "x")
		got := again.Header.Get("Content-Type")
		if got == "" || got != first.Header.Get("Content-Type") || media != "" && got != media {
			t.Errorf("first %q, replayed %q", first.Header.Get("Content-Type"), got)
		}
	}
}

func TestPeersReplayKeepsEveryValueOfAHeader(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		for _, v := range []string{"<b>", "<a>", "<c>"} {
			w.Header().Add("Link", v)
		}
	})
	for range 2 {
		if got := strings.Join(p.post("k", "x").Header.Values("Link"), " "); got != "<b> <a> <c>" {
			t.Errorf("got %s", got)
		}
	}
}

func TestPeersReplayKeepsTrailers(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, "body")
		w.Header().Set("X-Sum", "4")
		w.Header().Set(http.TrailerPrefix+"X-Late", "5")
	})
	for range 2 {
		if a := p.post("k", "x"); a.Trailer.Get("X-Sum") != "4" || a.Trailer.Get("X-Late") != "5" {
			t.Errorf("replayed %q: trailers %v", a.Header.Get(oncehttp.HeaderReplayed), a.Trailer)
		}
	}
}

func TestPeersOversizedReplyDoesNotRunAgain(t *testing.T) {
	const size = 1<<20 + 1
	for _, write := range []func(http.ResponseWriter){
		func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, size)) },
		func(w http.ResponseWriter) { _, _ = io.Copy(w, bytes.NewReader(make([]byte, size))) },
	} {
		p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { write(w) })
		if a := p.post("k", "x"); a.StatusCode != 200 || len(a.body) != size {
			t.Errorf("the first caller got %d with %d bytes", a.StatusCode, len(a.body))
		}
		for range 2 {
			wantProblem(t, p.post("k", "x"), 409, "reply-not-kept", false)
		}
		p.wantRuns(1)
	}
}

func TestPeersFlushedReplyDoesNotRunAgain(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		for _, part := range []string{"one ", "two ", "three"} {
			fmt.Fprint(w, part)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}
	})
	wantReply(t, p.post("k", "x"), 200, "one two three", false)
	wantReply(t, p.post("k", "x"), 200, "one two three", true)
	p.wantRuns(1)
}

func TestPeersLongReplyIsNotAStoredFailure(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 100<<10/16)
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, long) })
	for _, replayed := range []bool{false, true} {
		if a := p.post("k", "x"); a.StatusCode != 200 || a.body != long || (a.Header.Get(oncehttp.HeaderReplayed) == "true") != replayed {
			t.Errorf("%d with %d bytes of %d, replayed %q", a.StatusCode, len(a.body), len(long), a.Header.Get(oncehttp.HeaderReplayed))
		}
	}
	p.wantRuns(1)
}

func TestPeersErrorRepliesAreStored(t *testing.T) {
	for _, status := range []int{400, 402, 404, 409, 422, 500, 501} {
		p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, "no")
		})
		wantReply(t, p.post("k", "x"), status, "no", false)
		wantReply(t, p.post("k", "x"), status, "no", true)
		p.wantRuns(1)
	}
}

func TestPeersPanicDoesNotLeaveTheKeyStuck(t *testing.T) {
	for _, policy := range []onceward.Policy{onceward.MarkUnknown, onceward.Rerun} {
		broken := true
		p := onSocket(t, onceward.Config{OnLapse: policy}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			if broken {
				broken = false
				panic("a nil map")
			}
			fmt.Fprint(w, "done")
		})
		if resp, err := p.Client().Do(p.request("k", "x", nil)); err == nil {
			resp.Body.Close()
			t.Errorf("a panic was answered with %d", resp.StatusCode)
		}
		if policy == onceward.Rerun {
			wantReply(t, p.post("k", "x"), 200, "done", false)
			p.wantRuns(2)
			continue
		}
		wantProblem(t, p.post("k", "x"), 409, "outcome-unknown", false)
		p.resolve("done after all")
		wantReply(t, p.post("k", "x"), 200, "done after all", true)
		p.wantRuns(1)
	}
}

// resolve settles the one unknown operation.
func (p *peer) resolve(body string) {
	p.t.Helper()
	page, err := p.guard.Unknowns(context.Background(), onceward.UnknownsRequest{})
	if err != nil || len(page.Records) != 1 {
		p.t.Fatalf("unknown: %v %v", page.Records, err)
	}
	_, err = p.guard.Resolve(context.Background(), onceward.Resolution{
		Record: page.Records[0], Happened: true, Reply: &onceward.Reply{Status: 200, Body: []byte(body)}, Actor: "ops", Reason: "found in the books",
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestPeersUnavailableReplyDoesNotLeaveThePendingRecord(t *testing.T) {
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if a := p.post("k", "x"); a.StatusCode != 503 || a.Header.Get(oncehttp.HeaderOutcome) != oncehttp.OutcomeDoubted {
		t.Errorf("got %d %v", a.StatusCode, a.Header)
	}
	wantProblem(t, p.post("k", "x"), 409, "outcome-unknown", false) // at once, and not "in progress" for a day
	p.resolve("done after all")
	wantReply(t, p.post("k", "x"), 200, "done after all", true)
	p.wantRuns(1)
}

func TestPeersConcurrentDuplicateDoesNotPoisonLaterRetries(t *testing.T) {
	running, finish := make(chan struct{}), make(chan struct{})
	p := onSocket(t, onceward.Config{Wait: onceward.NoWait}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
		close(running)
		<-finish
		created(w, r)
	})
	first := p.later("k", "x")
	<-running
	for range 3 {
		wantProblem(t, p.post("k", "x"), 409, "in-progress", false)
	}
	close(finish)
	wantReply(t, <-first, 201, "created x", false)
	for range 3 {
		wantReply(t, p.post("k", "x"), 201, "created x", true)
	}
	p.wantRuns(1)
}

func TestPeersWaitingOr409IsTheRoutesChoice(t *testing.T) {
	for _, wait := range []time.Duration{onceward.NoWait, time.Minute} {
		running, finish := make(chan struct{}), make(chan struct{})
		p := onSocket(t, onceward.Config{Wait: wait}, oncehttp.Config{}, func(w http.ResponseWriter, r *http.Request) {
			close(running)
			<-finish
			created(w, r)
		})
		first := p.later("k", "x")
		<-running
		second := p.later("k", "x")
		if wait == onceward.NoWait {
			wantProblem(t, <-second, 409, "in-progress", false)
		}
		close(finish)
		wantReply(t, <-first, 201, "created x", false)
		if wait != onceward.NoWait {
			wantReply(t, <-second, 201, "created x", true)
		}
		p.wantRuns(1)
	}
}

func TestPeersStreamIsLiveAndReplayed(t *testing.T) {
	gate := make(chan struct{})
	p := onSocket(t, onceward.Config{}, oncehttp.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "live ")
		w.(http.Flusher).Flush()
		<-gate
		fmt.Fprint(w, "and whole")
	})
	resp, err := p.Client().Do(p.request("k", "x", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	head := make([]byte, len("live "))
	if _, err := io.ReadFull(resp.Body, head); err != nil || string(head) != "live " {
		t.Errorf("while the handler ran: %q %v", head, err)
	}
	close(gate)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "and whole" {
		t.Errorf("then %q %v", rest, err)
	}
	wantReply(t, p.post("k", "x"), 200, "live and whole", true)
	p.wantRuns(1)
}
