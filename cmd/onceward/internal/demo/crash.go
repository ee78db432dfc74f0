package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"time"

	"github.com/onceward/onceward/retry"
)

// What is enough for a [Crash] that shows something in a few seconds.
const (
	CrashRequests = 600
	CrashClients  = 16
	crashKills    = 3
)

const minCrashRequests = 50 // so that each kill meets some of them

// Crash says what to run with processes that are killed. Requests, Clients, Program and Keys have no default.
type Crash struct {
	Requests int    // transfers wanted, 50 to MaxRequests
	Clients  int    // that send at the same time, 1 to MaxClients
	Seed     uint64 // chooses transfers, and when what is killed. Every value is a seed, also zero
	Kills    int    // of the proxy, as many of the bank, and as many of both at once; default 3

	Program func(ctx context.Context, args ...string) *exec.Cmd // this very program with other arguments, as a process of its own
	Keys    func(ctx context.Context, args ...string) error     // carries out `onceward keys` with these arguments

	TimeLimit time.Duration  // default 2 min. What is not known then makes the run fail
	Progress  func(Progress) // as in [Config]
	Clock     retry.Clock    // default: the real one
}

func (c Crash) withDefaults() Crash {
	if c.Kills == 0 {
		c.Kills = crashKills
	}
	if c.TimeLimit == 0 {
		c.TimeLimit = defaultTimeLimit
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	c.Clock = c.Clock.WithDefaults()
	return c
}

func (c Crash) validate() error {
	var wrong []error
	if c.Requests < minCrashRequests || c.Requests > MaxRequests {
		wrong = append(wrong, fmt.Errorf("requests is %d: use %d to %d", c.Requests, minCrashRequests, MaxRequests))
	}
	if c.Clients < 1 || c.Clients > MaxClients {
		wrong = append(wrong, fmt.Errorf("clients is %d: use 1 to %d", c.Clients, MaxClients))
	}
	if c.Kills < 1 || 3*c.Kills > c.Requests/2 {
		wrong = append(wrong, fmt.Errorf("kills is %d: use 1 to a sixth of the requests", c.Kills))
	}
	if c.TimeLimit < 0 {
		wrong = append(wrong, fmt.Errorf("time limit is %v: use more than 0", c.TimeLimit))
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrConfig, errors.Join(wrong...))
}

// crash is one run.
type crash struct {
	Crash

	orders []transfer // the first of them meet a kill, one each
	random *rand.Rand // of the killer alone
	houses *houses
	crowd  *crowd

	gate sync.RWMutex  // held while something is down: what is sent then is no request under way at a kill
	told testimonies   // what clients have told their owners
	ends chan struct{} // a transfer of the crowd has ended or was put off
}

// RunCrash makes transfers through the proxy while proxy and bank are killed, resolves what nobody can tell, and asks for everything once more. Its error
// says that the run could not be made or was stopped; [CrashReport.Verdict] judges what it has shown.
func RunCrash(ctx context.Context, cfg Crash) (report CrashReport, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return report, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.TimeLimit, errTimeLimit)
	defer cancel()
	c := &crash{
		Crash: cfg, orders: orderTransfers(cfg.Seed, cfg.Requests), random: rand.New(rand.NewPCG(cfg.Seed, 1)), ends: make(chan struct{}, cfg.Requests),
	}
	if c.houses, err = newHouses(ctx, cfg.Program); err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, c.houses.close()) }()
	if err := errors.Join(c.houses.startBank(ctx), c.houses.startProxy(ctx)); err != nil {
		return report, err
	}
	if c.crowd, err = newCrowd(c, "http://"+c.houses.address+"/transfers"); err != nil {
		return report, err
	}
	defer c.crowd.client.CloseIdleConnections()
	report, err = c.run(ctx)
	if ctx.Err() != nil {
		err = fmt.Errorf("the run was stopped: %w", context.Cause(ctx))
	}
	return report, err
}

func (c *crash) run(ctx context.Context) (report CrashReport, err error) {
	start := c.Clock.Monotonic()
	c.Progress(Progress{Run: "crash", Wanted: len(c.orders)})
	working := make(chan error, 1)
	crowded, stop := context.WithCancel(ctx)
	defer stop()
	go func() { working <- c.crowd.work(crowded, c.orders[3*c.Kills:]) }()
	inFlight, err := c.killAll(ctx)
	if err != nil {
		stop() // what is down stays down
	}
	if err = errors.Join(err, <-working); err != nil {
		return report, err
	}
	if err := c.crowd.finish(ctx); err != nil {
		return report, err
	}
	// The bank ends as it should, so that nothing moves any more. From here on the proxy answers from its records, or not at all.
	if err := c.houses.endBank(); err != nil {
		return report, err
	}
	found, err := c.resolveAll(ctx)
	if err != nil {
		return report, err
	}
	if err := errors.Join(c.crowd.askAgain(ctx), c.houses.endProxy()); err != nil {
		return report, err
	}
	rows, err := readLedgerFile(c.houses.ledger())
	if err != nil {
		return report, err
	}
	report = CrashReport{Seed: c.Seed, Wanted: len(c.orders), Clients: c.Clients, Kills: Kills{Proxy: c.Kills, Upstream: c.Kills, Both: c.Kills}}
	report.Onceward = c.tally(rows, found, inFlight)
	report.Onceward.Seconds = (c.Clock.Monotonic() - start).Round(time.Millisecond).Seconds()
	return report, nil
}

// killAll kills processes until each kind has had its turns. It returns how many requests were under way at the kills.
func (c *crash) killAll(ctx context.Context) (inFlight int, err error) {
	kinds := slices.Concat(slices.Repeat([]string{"proxy"}, c.Kills), slices.Repeat([]string{"upstream"}, c.Kills), slices.Repeat([]string{"both"}, c.Kills))
	c.random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	each, seen := (len(c.orders)-len(kinds))/len(kinds), 0
	for i, kind := range kinds {
		for until := i*each + c.random.IntN(each); seen < until; seen++ { // the kills are spread over the whole run
			select {
			case <-c.ends:
			case <-ctx.Done():
				return inFlight, ctx.Err()
			}
		}
		n, err := c.kill(ctx, kind, c.orders[i], []string{holdBefore, holdAfter}[c.random.IntN(2)])
		inFlight += n
		if err != nil {
			return inFlight, err
		}
	}
	return inFlight, nil
}

// kill ends one process or both in the middle of a transfer that the bank is at, and starts them again.
func (c *crash) kill(ctx context.Context, kind string, t transfer, hold string) (inFlight int, err error) {
	sent := make(chan error, 1)
	go func() { sent <- c.crowd.transfer(ctx, t, hold) }()
	for name := ""; name != t.name(); {
		select {
		case name = <-c.houses.held:
		case err := <-sent:
			return 0, fmt.Errorf("%s ended before anything was killed: %v", t.name(), err) //nolint:errorlint // it may be nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	c.gate.Lock()
	inFlight = int(c.crowd.open.Load())
	if kind != "upstream" {
		c.houses.proxy.kill()
	}
	if kind != "proxy" {
		c.houses.bank.kill()
		err = c.houses.startBank(ctx)
	}
	if kind != "upstream" && err == nil {
		err = c.houses.startProxy(ctx)
	}
	c.gate.Unlock()
	return inFlight, errors.Join(err, <-sent)
}
