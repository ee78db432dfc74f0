package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// onAdmin reads a page of the proxy's admin listener.
func (p *proxyProcess) onAdmin(path string) (status int, text string) {
	p.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: dialSocket(p.socket), DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://proxy"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// Two proxies share one Redis: a hundred duplicates over both are one effect and one reply. Without Redis nothing reaches the service, and afterwards all is
// as it was; what a killed proxy has answered, or begun, the other knows.
func TestProxiesShareRedis(t *testing.T) {
	redis := redistest.Own(t, redistest.Config{Durable: true})
	up := startUpstream(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "ledger"))
	defer up.kill(t)
	var proxies []*proxyProcess
	for range 2 {
		proxies = append(proxies, startProxy(t, "redis://"+redis.Address()+"?timeout=1s", "--upstream", "http://"+up.address, "--lease", "2100ms", "--wait", "5s"))
	}
	first := proxies[0].post("/", "k1", "one")
	if first.status != 201 || first.outcome != "saved" || first.replayed {
		t.Fatalf("%+v", first)
	}
	for _, p := range proxies {
		if a := p.post("/", "k1", "one"); a.body != first.body || !a.replayed {
			t.Errorf("the retry: %+v, first %q", a, first.body)
		}
		if status, text := p.onAdmin("/readyz"); status != 200 || !strings.Contains(text, "store: ok") {
			t.Errorf("%d %s", status, text)
		}
	}

	duplicates(t, up, proxies)
	withoutRedis(t, up, proxies[0], redis)
	killedBesideAnother(t, up, proxies, first)
}

// duplicates sends fifty to each.
func duplicates(t *testing.T, up *upstreamProcess, proxies []*proxyProcess) {
	t.Helper()
	var mu sync.Mutex
	replies := map[string]int{}
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			a := proxies[n%2].post("/", "shared", "shared")
			mu.Lock()
			defer mu.Unlock()
			replies[fmt.Sprint(a.status, a.body, a.err)]++
		})
	}
	all.Wait()
	if n := up.effects(t)["shared"]; n != 1 || len(replies) != 1 {
		t.Errorf("%d effects, replies %v", n, replies)
	}
}

// withoutRedis stops it, and starts it again with its data.
func withoutRedis(t *testing.T, up *upstreamProcess, p *proxyProcess, redis *redistest.Server) {
	t.Helper()
	if err := redis.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"k1", "k2"} { // also what was answered: only Redis knows
		if a := p.post("/", key, "two"); a.status != 503 || !a.refused || !strings.Contains(a.body, "#store-unavailable") || a.retryAfter == "" {
			t.Errorf("%s without Redis: %+v", key, a)
		}
	}
	if status, text := p.onAdmin("/readyz"); status != 503 || strings.Contains(text, "store: ok") {
		t.Errorf("without Redis: %d %s", status, text)
	}
	if n := up.effects(t)["two"]; n != 0 {
		t.Errorf("%d effects without Redis", n)
	}
	if err := redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, n := p.insist("/", "k2", "two"), up.effects(t)["two"]; a.status != 201 || n != 1 {
		t.Errorf("when it is back: %+v, %d effects", a, n)
	}
}

// insist sends until the proxy has found its store again.
func (p *proxyProcess) insist(path, key, body string) (a proxied) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		if a = p.post(path, key, body); a.status != 503 || time.Now().After(deadline) {
			return a
		}
	}
}

// killedBesideAnother kills the first proxy in the middle of a request.
func killedBesideAnother(t *testing.T, up *upstreamProcess, proxies []*proxyProcess, first proxied) {
	t.Helper()
	gone := make(chan proxied, 1)
	go func() { gone <- proxies[0].post("/stall", "stalled", "stalled") }()
	up.await(t, "stalled")
	if code := proxies[0].end(syscall.SIGKILL); code != -1 {
		t.Errorf("exit %d", code)
	}
	if a := <-gone; a.err == nil {
		t.Errorf("an answer from the dead: %+v", a)
	}
	p := proxies[1]
	if a := p.insist("/", "k1", "one"); a.body != first.body || !a.replayed {
		t.Errorf("what the dead one answered: %+v", a)
	}
	if a := p.post("/stall", "stalled", "stalled"); a.status != 409 || !strings.Contains(a.body, "outcome-unknown") { // it waits until the lease is over
		t.Errorf("what the dead one was at: %+v", a)
	}
	p.endsWithTheStalledOneUnknown(t, up)
}

// While Redis hangs, the proxy answers 503 within the bound of its store, and sends nothing on.
func TestProxyOverAHungRedis(t *testing.T) {
	const bound = 200 * time.Millisecond
	redis := redistest.Own(t, redistest.Config{})
	up := startUpstream(t, "127.0.0.1:0", filepath.Join(t.TempDir(), "ledger"))
	defer up.kill(t)
	p := startProxy(t, "redis://"+redis.Address()+"?timeout="+bound.String(), "--upstream", "http://"+up.address)
	if a := p.post("/", "k1", "one"); a.status != 201 {
		t.Fatalf("%+v", a)
	}
	if err := redis.Freeze(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"k1", "k2"} {
		began := time.Now()
		a := p.post("/", key, "two")
		took := time.Since(began)
		t.Logf("%s: %d after %v, of %v", key, a.status, took.Round(time.Millisecond), bound)
		if a.status != 503 || !strings.Contains(a.body, "#store-unavailable") || a.retryAfter == "" || took > 9*bound { // less than the bound of its own, 2 s
			t.Errorf("%s while Redis hangs: %+v, after %v", key, a, took)
		}
	}
	if status, text := p.onAdmin("/readyz"); status != 503 || strings.Contains(text, "store: ok") {
		t.Errorf("while Redis hangs: %d %s", status, text)
	}
	if n := up.effects(t)["two"]; n != 0 {
		t.Errorf("%d effects while Redis hangs", n)
	}
	if err := redis.Thaw(); err != nil {
		t.Fatal(err)
	}
	if a, n := p.insist("/", "k2", "two"), up.effects(t)["two"]; a.status != 201 || n != 1 {
		t.Errorf("when it goes on: %+v, %d effects", a, n)
	}
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestProxyCheckOverRedis(t *testing.T) {
	redis := redistest.Own(t, redistest.Config{})
	check := func(store string, more ...string) (string, error) {
		return run(append([]string{"proxy", "--check", "--upstream", "http://127.0.0.1:1", "--scope", "global", "--store", store}, more...)...)
	}
	out, err := check("redis://" + redis.Address())
	if n, err := redis.Talk("DBSIZE"); err != nil || n != int64(0) || !strings.Contains(out, "no store with this prefix yet") {
		t.Errorf("checking has laid out a store, or does not say that there is none: %v, %v\n%s", n, err, out)
	}
	if err != nil || !strings.Contains(out, "At most once") || !strings.Contains(out, "the redis store") || !strings.Contains(out, "appendonly is off") {
		t.Errorf("%v\n%s", err, out)
	}
	laidOut(t, "redis://"+redis.Address())
	if _, err := redis.Talk("CONFIG", "RESETSTAT"); err != nil {
		t.Fatal(err)
	}
	out, err = check("redis://" + redis.Address())
	if err != nil || strings.Contains(out, "no store with this prefix yet") {
		t.Errorf("of a store that is there: %v\n%s", err, out)
	}
	said, err := redis.Talk("INFO", "commandstats")
	if text := fmt.Sprint(said); err != nil || !strings.Contains(text, "cmdstat_info") || strings.Contains(text, "cmdstat_set") || strings.Contains(text, "cmdstat_hset") || strings.Contains(text, "cmdstat_del") {
		t.Errorf("checking writes: %v\n%s", err, text)
	}
	keys, err := redis.Talk("DBSIZE")
	if err != nil {
		t.Fatal(err)
	}
	guarded, err := checkRedis(t.Context(), "redis://"+redis.Address(), "orders") // what the guard of a check begins to keep up
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guarded.Seal(t.Context(), "orders", store.TimeOf(time.Now().Add(time.Minute))); err != nil || guarded.Close() != nil {
		t.Error(err)
	}
	if n, err := redis.Talk("DBSIZE"); err != nil || n != keys {
		t.Errorf("the guard of a check works on the table itself: %v keys, %v, were %v", n, err, keys)
	}
	cluster := redistest.OwnCluster(t, 1, redistest.Config{})
	url := "redis+cluster://" + cluster.Nodes[0].Address()
	if _, err := check(url); err == nil || !strings.Contains(err.Error(), "OnLapse = MarkUnknown") {
		t.Errorf("a promise that a failover breaks: %v", err)
	}
	for _, words := range [][]string{{url, "--on-lapse", "rerun"}, {url + "?allow-lossy-failover=true"}} {
		if out, err := check(words[0], words[1:]...); err != nil || !strings.Contains(out, "A failover may forget") {
			t.Errorf("%v: %v\n%s", words, err, out)
		}
	}
}

// An ACL user whose password is in a file or in the environment is enough, and no output has it.
func TestProxyOverRedisKeepsItsPassword(t *testing.T) {
	redis := redistest.Own(t, redistest.Config{})
	words := append([]string{"ACL", "SETUSER", "orders", "on", ">" + whispered + muttered}, strings.Fields(redisstore.Grants(""))...)
	if _, err := redis.Talk(words...); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDISCLI_AUTH", whispered+muttered)
	good := "redis://orders@" + redis.Address()
	laidOut(t, good)
	for _, c := range []struct {
		url string
		ok  bool
	}{
		{good, true}, {"redis://orders:" + whispered + muttered + "@" + redis.Address(), true},
		{"redis://orders:" + whispered + "@" + redis.Address(), false}, {"redis://orders:" + whispered + "/" + muttered + "@" + redis.Address(), false},
		{"redis://" + whispered + "@" + redis.Address(), false}, {"redis://orders:" + whispered + "@" + freeAddress(t), false},
		{good + "?timeout=" + whispered, false}, {good + "?" + whispered, false}, {good + "/" + whispered, false}, {"redis+sentinel://orders:" + whispered, false},
	} {
		for _, words := range [][]string{
			{"proxy", "--check", "--upstream", "http://127.0.0.1:1", "--scope", "global", "--store", c.url},
			{"store", "seal", "redis", "--service", "orders", "--until", "now", "--yes", "--url", c.url},
			{"store", "inspect", "redis", "--url", c.url},
			{"store", "inspect", "redis", c.url},
		} {
			o := onRedis(t, "", words...)
			if want := c.ok && words[len(words)-2] != "redis"; (o.err == nil) != want {
				t.Errorf("%v: %v", words, o.err)
			}
			spoken(t, fmt.Sprint(o.err), o.out, o.notes)
		}
	}
}

// onRedis runs a command with REDIS_URL.
func onRedis(t *testing.T, url string, words ...string) output {
	t.Helper()
	t.Setenv(redisVariable, url)
	return onDatabase(t, "", words...)
}

// laidOut opens a store once, as a process does that serves from it.
func laidOut(t *testing.T, url string) {
	t.Helper()
	s, err := openRedis(t.Context(), url, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestStoreCommandsOnRedis(t *testing.T) {
	redis := redistest.Own(t, redistest.Config{})
	url := "redis://" + redis.Address()
	o := onRedis(t, url, "store", "inspect", "redis")
	o.refused(t, "there is no store with the prefix onceward")
	onRedis(t, url+"?prefix=shop", "store", "seal", "redis", "--service", "orders", "--until", "now", "--yes").refused(t, "there is no store with the prefix shop: give it the ?prefix=")
	if n, err := redis.Talk("DBSIZE"); err != nil || n != int64(0) {
		t.Errorf("looking or sealing has laid out a store: %v, %v", n, err)
	}
	onRedis(t, "", "store", "inspect", "redis").refused(t, "no Redis: use --url, or set REDIS_URL")

	laidOut(t, url)
	o = onRedis(t, url, "store", "seal", "redis", "--service", "orders", "--until", "now", "--yes")
	want := "service \"orders\", " + url + ", prefix onceward\nserver's clock:   TIME\nwatermark before: none\nwatermark after:  TIME\n"
	if got := times.ReplaceAllString(o.out, "TIME"); o.err != nil || got != want || !strings.Contains(o.notes, "WARNING") {
		t.Errorf("%v\n%s%s", o.err, o.out, o.notes)
	}
	o = onRedis(t, "redis://h", "store", "inspect", "redis", "--url", url+"?timeout=3s")
	want = url + ", prefix onceward, 16 shards\n0 claimed, 0 started, 0 unknown, 0 done\nservice \"orders\": 0 done, watermark TIME\noldest unknown: none\n- appendonly is off"
	if got := times.ReplaceAllString(o.out, "TIME"); o.err != nil || !strings.HasPrefix(got, want) {
		t.Errorf("%v\n%s", o.err, o.out)
	}
}
