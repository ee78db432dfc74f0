package behave

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/onceward/onceward/bench/behave/contract"
)

// copies is how many duplicates are sent at once.
const copies = 20

// effectCases: copies that arrive together.
func effectCases() []Case {
	return []Case{
		{Name: "concurrent", Group: OneEffect, Says: "Twenty copies at once take effect once; each gets the one reply, or a 409, 423, 425 or 429 while the first is at work.",
			Check: checkConcurrent},
		{Name: "after-concurrent", Group: OneEffect, Says: "A copy that came while the first was at work does not spoil the key: later retries get the reply.",
			Check: checkAfterConcurrent},
		{Name: "parallel-keys", Group: OneEffect, Says: "Operations with different keys run side by side.", Check: checkParallelKeys},
	}
}

func checkConcurrent(p *Probe) Verdict {
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	replies := make(chan answer, copies)
	var sent sync.WaitGroup
	for range copies {
		sent.Go(func() {
			reply := p.later(p.base, a)
			go func() { replies <- <-reply }()
		})
	}
	sent.Wait()
	if !p.running(a, 1) {
		return failed("none of them runs")
	}
	p.until(p.allow(patience), func() bool { return len(replies) == copies-1 || p.entry(a.Script.Op).Runs > 1 })
	p.open(gate)
	had := 0
	for range copies {
		switch got := <-replies; {
		case a.replyOf(got) == "":
			had++
		case !got.busy():
			return failed("a copy gets %s", a.replyOf(got))
		}
	}
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	if had == 0 {
		return failed("none of them gets the reply")
	}
	return pass()
}

func checkAfterConcurrent(p *Probe) Verdict {
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	first := p.later(p.base, a)
	if !p.running(a, 1) {
		return failed("it does not run")
	}
	second := p.later(p.base, a)
	p.until(p.allow(patience), func() bool { return len(second) > 0 })
	p.open(gate)
	<-first
	<-second
	return p.settled(a)
}

func checkParallelKeys(p *Probe) Verdict {
	const n = 8
	gate := p.fresh()
	defer p.open(gate)
	ops := make([]ask, n)
	replies := make([]<-chan answer, n)
	for i := range ops {
		ops[i] = p.ask(func(a *ask) { a.Script.Hold = gate })
		replies[i] = p.later(p.base, ops[i])
	}
	running := 0
	for running < n && p.until(2*time.Second, func() bool { return p.runsOf(ops) > running }) { // a busy machine gets on, slowly
		running = p.runsOf(ops)
	}
	p.open(gate)
	for i, a := range ops {
		if fault := a.replyOf(<-replies[i]); fault != "" {
			return failed("one of them gets %s", fault)
		}
	}
	if running != n {
		return failed("one waits for another")
	}
	return pass()
}

func (p *Probe) runsOf(ops []ask) (sum int) {
	for _, a := range ops {
		sum += p.entry(a.Script.Op).Runs
	}
	return sum
}

// sharedCases: an owner that takes long, and a second server.
func sharedCases() []Case {
	return []Case{
		{Name: "two-servers", Group: OneEffect, Says: "Two servers that share a store carry out an operation once, and a retry at the second gets the first's reply.",
			Check: checkTwin},
		{Name: "outlives-lease", Group: OneEffect, Says: "A live handler that takes longer than its lease, or its claim's time to live, is not joined by a second run.",
			Check: checkLease},
		{Name: "restart", Group: OneEffect, Says: "After a restart a retry gets the reply.", Alone: true, Check: checkRestart},
	}
}

func checkTwin(p *Probe) Verdict {
	if p.about.Twin == "" {
		return notApplicable("it offers no second server")
	}
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	// Both must be one request: a fingerprint may have the host in it.
	a.Host = "shop.example"
	defer p.open(gate)
	first := p.later(p.base, a)
	if !p.running(a, 1) {
		return failed("it does not run")
	}
	second := p.later(p.about.Twin, a)
	p.until(p.allow(patience), func() bool { return len(second) > 0 || p.entry(a.Script.Op).Runs > 1 })
	p.open(gate)
	<-first
	<-second
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	if fault := a.replyOf(p.sendTo(p.about.Twin, a)); fault != "" {
		return failed("the retry at the second gets %s", fault)
	}
	return pass()
}

func checkLease(p *Probe) Verdict {
	if p.about.Lease == 0 {
		return notApplicable("it has neither lease nor claims that expire")
	}
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold, a.Path, a.Host = gate, contract.PathShort, "shop.example" })
	defer p.open(gate)
	first := p.later(p.base, a)
	if !p.running(a, 1) {
		return failed("it does not run")
	}
	p.pause(time.Duration(p.about.Lease) * time.Millisecond * 5 / 2)
	target := p.base
	if p.about.Twin != "" { // the first server may know its own handlers; another has only the record to go by
		target = p.about.Twin
	}
	second := p.later(target, a)
	p.until(p.allow(patience), func() bool { return len(second) > 0 || p.entry(a.Script.Op).Runs > 1 })
	p.open(gate)
	<-first
	<-second
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	return pass()
}

func checkRestart(p *Probe) Verdict {
	if !p.about.Restart {
		return notApplicable("it keeps its records in memory, or cannot be told to restart")
	}
	a := p.ask()
	p.send(a)
	if _, err := p.control(http.MethodPost, contract.PathRestart, nil); err != nil {
		return notApplicable("%s", fmt.Sprintf("POST %s does not work", contract.PathRestart))
	}
	p.until(requestLimit, func() bool { return p.entry(a.Script.Op).Runs >= 0 })
	return p.settled(a)
}
