package behave

import (
	"net/http"

	"github.com/onceward/onceward/bench/behave/contract"
)

// requestCases: what makes two requests the same.
func requestCases() []Case {
	return []Case{
		{Name: "other-body", Group: SameKey, Says: "The same key with another body is refused with a 4xx: it neither runs nor gets the first's reply.", Check: checkOtherBody},
		{Name: "other-body-in-flight", Group: SameKey, Says: "So it is while the first is at work.", Check: checkOtherBodyInFlight},
		{Name: "other-query", Group: SameKey, Says: "The same key with another query is refused with a 4xx, or is an operation of its own; it does not get the first's reply.",
			Check: func(p *Probe) Verdict { return p.another(func(a *ask) { a.Extra = "item=2" }) }},
		{Name: "other-path", Group: SameKey, Says: "So is the same key on another path.",
			Check: func(p *Probe) Verdict { return p.another(func(a *ask) { a.Path = contract.PathOther }) }},
		{Name: "other-method", Group: SameKey, Says: "So is the same key with another method.",
			Check: func(p *Probe) Verdict { return p.another(func(a *ask) { a.Method = http.MethodPatch }) }},
		{Name: "reframed", Group: SameKey, Says: "The same request with a chunked body is the same request.",
			Check: func(p *Probe) Verdict { return p.same(func(a *ask) { a.Chunked = true }) }},
		{Name: "refreshed-token", Group: SameKey, Says: "The same request with a fresh access token, another trace and another User-Agent is the same request.",
			Check: func(p *Probe) Verdict {
				return p.same(func(a *ask) {
					a.Header = http.Header{"Authorization": {"Bearer two"}, "Traceparent": {"00-2"}, "User-Agent": {"behave/2"}, "Accept-Encoding": {"gzip"}}
				})
			}},
	}
}

func checkOtherBody(p *Probe) Verdict {
	a := p.ask()
	if fault := a.replyOf(p.send(a)); fault != "" {
		return failed("the first send gets %s", fault)
	}
	other := a
	other.Body = []byte(`{"item":"book","count":2}`)
	return p.refusedOther(a, p.send(other))
}

func checkOtherBodyInFlight(p *Probe) Verdict {
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	first := p.later(p.base, a)
	if !p.running(a, 1) {
		return failed("it does not run")
	}
	other := a
	other.Body = []byte(`{"item":"book","count":2}`)
	second := p.later(p.base, other)
	p.until(p.allow(patience), func() bool { return len(second) > 0 })
	p.open(gate)
	<-first
	return p.refusedOther(a, <-second)
}

func (p *Probe) refusedOther(a ask, got answer) Verdict {
	r, ok := got.receipt()
	switch {
	case ok && r.Sum == contract.Sum(a.body()):
		return failed("it gets the first's reply")
	case p.once(a) != "":
		return failed("%s", p.once(a))
	case !got.refused():
		return failed("it gets %s", got)
	}
	return pass()
}

// another sends a second operation that differs from the first by change, under the same key.
func (p *Probe) another(change func(*ask)) Verdict {
	a := p.ask()
	if fault := a.replyOf(p.send(a)); fault != "" {
		return failed("the first send gets %s", fault)
	}
	other := p.ask()
	other.Key = a.Key
	change(&other)
	got := p.send(other)
	switch fault := other.replyOf(got); {
	case got.Status == http.StatusMethodNotAllowed || got.Status == http.StatusNotFound:
		return notApplicable("the target answers %d", got.Status)
	case a.replyOf(got) == "", fault == "the reply of another request":
		return failed("it gets the first's reply")
	case fault != "" && !got.refused():
		return failed("it gets %s", got)
	}
	return pass()
}

// same sends a request again that change has altered where it does not count.
func (p *Probe) same(change func(*ask)) Verdict {
	a := p.ask(func(a *ask) { a.Header = http.Header{"Authorization": {"Bearer one"}, "Traceparent": {"00-1"}} })
	if fault := a.replyOf(p.send(a)); fault != "" {
		return failed("the first send gets %s", fault)
	}
	if p.send(a).busy() {
		return notApplicable("every retry is refused")
	}
	change(&a)
	got := p.send(a)
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	if fault := a.replyOf(got); fault != "" {
		return failed("the retry gets %s", fault)
	}
	return pass()
}
