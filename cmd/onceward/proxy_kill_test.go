package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/pgstore/pgtest"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// killings is a bank behind the proxy whose processes are killed while clients send. Its ledger does not deduplicate.
type killings struct {
	t       *testing.T
	random  *rand.Rand
	store   string
	up      *upstreamProcess
	address string // of the proxy, the same in all its lives

	gate    sync.RWMutex // held while something is down
	proxy   *proxyProcess
	changes chan struct{} // an operation has ended

	mu      sync.Mutex
	done    map[string]string // first reply, by key
	unknown map[string]bool
	later   map[string]bool // under way when the proxy was killed
}

const senders = 4

// Processes are killed at random, with at least one keyed request under way each time. No transfer is made twice, no reply differs from its first,
// nothing that was answered is lost, and what nobody can tell is listed, no more than was under way, and can be resolved.
func TestProxyUnderRandomKills(t *testing.T) {
	underRandomKills(t, "pebble:"+filepath.Join(t.TempDir(), "data"))
}

func TestProxyUnderRandomKillsOverPostgres(t *testing.T) {
	database := pgtest.Shared(t).MustDatabase(t)
	if o := onDatabase(t, database, "migrate", "postgres", "--apply"); o.err != nil {
		t.Fatal(o.err)
	}
	underRandomKills(t, database)
}

// Over Redis, for long only: TestProxiesShareRedis kills a proxy over it once.
func TestProxyUnderRandomKillsOverRedis(t *testing.T) {
	if os.Getenv("ONCEWARD_SOAK") == "" {
		t.Skip("with ONCEWARD_SOAK=1 only")
	}
	underRandomKills(t, "redis://"+redistest.Own(t, redistest.Config{Durable: true}).Address())
}

func underRandomKills(t *testing.T, store string) {
	t.Helper()
	each := 3
	switch {
	case os.Getenv("ONCEWARD_SOAK") != "":
		each = 50
	case testing.Short():
		each = 1
	case os.Getenv("CI") == "true":
		each = 10
	}
	seed := rand.Uint64()
	if text := os.Getenv("ONCEWARD_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ONCEWARD_SEED=%d", seed)
	k := &killings{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), store: store, address: freeAddress(t), changes: make(chan struct{}, 1<<16),
		done: map[string]string{}, unknown: map[string]bool{}, later: map[string]bool{},
	}
	k.up = startUpstream(t, freeAddress(t), filepath.Join(t.TempDir(), "ledger"))
	k.startProxy()
	kinds := slices.Concat(slices.Repeat([]string{"proxy"}, each), slices.Repeat([]string{"upstream"}, each), slices.Repeat([]string{"both"}, each))
	k.random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })

	stop := make(chan struct{})
	var clients sync.WaitGroup
	for n := range senders {
		clients.Go(func() { k.send(n, stop) })
	}
	for i, kind := range kinds {
		k.kill(i, kind)
	}
	close(stop)
	clients.Wait()
	k.check(len(kinds) * (senders + 1))
}

func (k *killings) startProxy() {
	k.proxy = startProxy(k.t, k.store, "--listen", k.address, "--upstream", "http://"+k.up.address, "--lease", "2100ms", "--wait", "200ms")
	k.proxy.drain()
}

// kill ends one process or both in the middle of a request that the upstream has begun, after a random number of others, and starts them again.
func (k *killings) kill(i int, kind string) {
	stalled := fmt.Sprint("stalled-", i)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.proxy.post("/stall", stalled, stalled)
	}()
	k.up.await(k.t, stalled)
	k.mu.Lock()
	k.unknown[stalled] = true
	k.mu.Unlock()
	for range k.random.IntN(12) {
		<-k.changes
	}
	k.gate.Lock()
	defer k.gate.Unlock()
	if kind != "upstream" {
		k.proxy.end(syscall.SIGKILL)
	}
	if kind != "proxy" {
		k.up.kill(k.t)
	}
	<-ended
	if kind != "proxy" {
		k.up = startUpstream(k.t, k.up.address, k.up.ledger)
	}
	if kind != "upstream" {
		k.startProxy()
	}
}

// post sends once everything is up.
func (k *killings) post(path, key string) proxied {
	k.gate.RLock()
	p := k.proxy
	k.gate.RUnlock()
	return p.post(path, key, key)
}

// pathOf is where the request with a key goes.
func pathOf(key string) string {
	if strings.HasPrefix(key, "stalled") {
		return "/stall"
	}
	return "/"
}

// send makes one transfer after the other. Each is sent under its key until its fate is known.
func (k *killings) send(n int, stop chan struct{}) {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		key := fmt.Sprintf("wish-%d-%d", n, i)
		k.settle(key, false)
		select {
		case k.changes <- struct{}{}:
		default:
		}
		k.settle(fmt.Sprintf("wish-%d-%d", n, random.IntN(i+1)), false) // an old one once more
	}
}

// settle sends until there is a reply that is the operation's for ever, or nobody can tell; what has to wait for a lease is put off unless patient.
func (k *killings) settle(key string, patient bool) {
	for k.t.Context().Err() == nil {
		a := k.post(pathOf(key), key)
		switch {
		case a.err != nil, a.outcome == "freed", a.outcome == "doubted", a.status == 503:
		case a.status == 409 && strings.Contains(a.body, "#in-progress"):
			if !patient { // its owner is dead, and its lease is not over
				k.mu.Lock()
				k.later[key] = true
				k.mu.Unlock()
				return
			}
		case a.status == 409 && strings.Contains(a.body, "#outcome-unknown"):
			k.note(key, "")
			return
		case a.status == 201 && a.outcome == "saved":
			k.note(key, a.body)
			return
		default:
			k.t.Errorf("%s: %+v", key, a)
			return
		}
	}
}

func (k *killings) note(key, reply string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	first, was := k.done[key]
	switch {
	case was && reply != first:
		k.t.Errorf("%s was answered %q, and then %q", key, first, reply)
	case reply == "":
		k.unknown[key] = true
	case k.unknown[key]:
		k.t.Errorf("%s was unknown and is answered %q", key, reply)
	default:
		k.done[key] = reply
	}
}

// check looks at the ledger, at each reply once more, and at what is listed as unknown, and resolves that.
func (k *killings) check(most int) {
	for _, keys := range [][]string{slices.Collect(maps.Keys(k.unknown)), slices.Collect(maps.Keys(k.later)), slices.Collect(maps.Keys(k.done))} {
		for _, key := range keys {
			k.settle(key, true)
		}
	}
	effects := k.up.effects(k.t)
	for key, n := range effects {
		if _, done := k.done[key]; n != 1 || !done && !k.unknown[key] {
			k.t.Errorf("%s took effect %d times; done %v, unknown %v", key, n, done, k.unknown[key])
		}
	}
	for key := range k.done {
		if effects[key] != 1 {
			k.t.Errorf("%s was answered and took effect %d times", key, effects[key])
		}
	}
	records := k.unknowns()
	if len(records) != len(k.unknown) || len(records) > most {
		k.t.Errorf("%d are listed, %d were told to be unknown, %d were under way at most", len(records), len(k.unknown), most)
	}
	k.t.Logf("%d transfers, %d of them unknown", len(k.done)+len(k.unknown), len(records))
	for _, r := range records {
		if !k.unknown[r.Key] {
			k.t.Errorf("%s is listed as unknown", r.Key)
		}
		k.resolve(r, effects[r.Key] == 1)
		want := map[bool]string{true: "#reply-not-kept", false: "#not-executed"}[effects[r.Key] == 1]
		if a := k.post(pathOf(r.Key), r.Key); a.status != 409 || !strings.Contains(a.body, want) {
			k.t.Errorf("%s after it was resolved: %+v", r.Key, a)
		}
	}
	if left := k.unknowns(); len(left) > 0 {
		k.t.Errorf("%d are left", len(left))
	}
	if code := k.proxy.end(syscall.SIGTERM); code != 0 {
		k.t.Errorf("exit %d", code)
	}
	k.up.kill(k.t)
}

// ask reads one page of the admin API.
func (k *killings) ask(path string) (page oncehttp.AdminPage) {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, "http://proxy"+path, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dialSocket(k.proxy.socket), DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
		k.t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
	return page
}

func (k *killings) unknowns() (all []oncehttp.AdminRecord) {
	k.t.Helper()
	for path := "/unknowns?limit=1000"; path != ""; {
		page := k.ask(path)
		all, path = append(all, page.Records...), ""
		if page.Next != "" {
			path = "/unknowns?limit=1000&cursor=" + page.Next
		}
	}
	return all
}

// resolve is what an operator does, by the command.
func (k *killings) resolve(r oncehttp.AdminRecord, happened bool) {
	k.t.Helper()
	what := []string{"--did-not-happen", "--attested"}
	if happened {
		what = []string{"--happened", "--no-reply"}
	}
	who := []string{r.ID}
	if strings.HasPrefix(k.store, "pebble:") { // finds no operation by its id alone
		who = []string{"--service", r.Service, "--principal", r.Principal, "--key", r.Key}
	}
	out, err := run(slices.Concat([]string{"keys", "resolve"}, who, what, []string{
		"--admin", "unix:" + k.proxy.socket, "--reason", "the ledger says so", "--version", fmt.Sprint(r.Version), "--yes",
	})...)
	if err != nil {
		k.t.Errorf("%s: %v\n%s", r.Key, err, out)
	}
}
