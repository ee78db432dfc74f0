package behave

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/onceward/onceward/bench/behave/contract"
)

// sideBySide is how many cases run at the same time.
const sideBySide = 16

// caseLimit ends a case whose target hangs.
const caseLimit = 40 * time.Second

// Config says what [Run] runs.
type Config struct {
	URL   string          // base URL of the target
	Cases []Case          // default all of [Cases]
	Run   string          // part of all names and keys: the same Run twice at one target meets its own records. Default random
	Wants func(Case) bool // which of the cases; default all
}

// Result is what became of one case.
type Result struct {
	Name  string `json:"case"`
	Group Group  `json:"group"`
	Kind  Kind   `json:"kind"`
	Verdict
}

// Report is what one target did.
type Report struct {
	Target  contract.About `json:"target"`
	Results []Result       `json:"results"` // in the order of the cases
}

// Run runs the cases at a target. It fails only if the target does not answer as the contract says; a case that fails is part of the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Cases == nil {
		cfg.Cases = Cases()
	}
	if cfg.Run == "" {
		cfg.Run = rand.Text()
	}
	controls := newControls()
	defer controls.CloseIdleConnections()
	probe := func(name string) *Probe { return &Probe{base: cfg.URL, controls: controls, run: cfg.Run, name: name} }
	about, err := probe("about").askAbout(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("%s does not offer the contract of bench/behave/README.md: %w", cfg.URL, err)
	}
	var wanted []Case
	for _, c := range cfg.Cases {
		if (c.Kind != Protocol || about.Protocol == "onceward") && (cfg.Wants == nil || cfg.Wants(c)) {
			wanted = append(wanted, c)
		}
	}
	report := Report{Target: about, Results: make([]Result, len(wanted))}
	check := func(i int) {
		c := wanted[i]
		p := probe(c.Name)
		p.about = about
		var end context.CancelFunc
		p.ctx, end = context.WithTimeout(ctx, caseLimit)
		defer end()
		report.Results[i] = Result{Name: c.Name, Group: c.Group, Kind: c.Kind, Verdict: c.Check(p)}
	}
	var beside sync.WaitGroup
	room := make(chan struct{}, sideBySide)
	for i, c := range wanted {
		if !c.Alone {
			beside.Go(func() {
				room <- struct{}{}
				check(i)
				<-room
			})
		}
	}
	beside.Wait()
	for i, c := range wanted {
		if c.Alone {
			check(i)
		}
	}
	return report, ctx.Err()
}

func (p *Probe) askAbout(ctx context.Context) (about contract.About, err error) {
	p.ctx = ctx
	body, err := p.control(http.MethodGet, contract.PathAbout, nil)
	if err != nil {
		return about, err
	}
	if err := json.Unmarshal(body, &about); err != nil {
		return about, fmt.Errorf("GET %s: %w", contract.PathAbout, err)
	}
	if about.Name == "" {
		return about, fmt.Errorf("GET %s has no name", contract.PathAbout)
	}
	return about, nil
}
