package behave

import (
	"net/http"

	"github.com/onceward/onceward/bench/behave/contract"
)

// endCases: the handler fails, after its effect.
func endCases() []Case {
	fails := func(status int, noEffect bool) contract.Script {
		return contract.Script{Status: status, NoEffect: noEffect}
	}
	return []Case{
		{Name: "panic", Group: BadEnds, Says: "A handler that panics after its effect is not run again; the retry is answered, with whatever the server knows.",
			Check: func(p *Probe) Verdict { return p.notAgain(contract.Script{Panic: true}) }},
		{Name: "server-error", Group: BadEnds, Says: "A 500 after the effect is not an invitation to run again: the retry gets it again, or is refused.",
			Check: func(p *Probe) Verdict { return p.notAgain(fails(http.StatusInternalServerError, false)) }},
		{Name: "unavailable", Group: BadEnds, Says: "A 503, which time-out wrappers send while the work goes on, is not an invitation to run again.",
			Check: func(p *Probe) Verdict { return p.notAgain(fails(http.StatusServiceUnavailable, false)) }},
		{Name: "declined", Group: BadEnds, Says: "A 402 that the handler decided is remembered: the retry gets the same answer, and nothing runs.",
			Check: func(p *Probe) Verdict { return p.replays(fails(http.StatusPaymentRequired, false)) }},
		{Name: "too-many", Group: BadEnds, Says: "A 429 of a handler that did nothing is not the operation's reply for ever: the next send runs.",
			Check: checkTooMany},
	}
}

// notAgain sends an operation whose handler fails after its effect, twice.
func (p *Probe) notAgain(s contract.Script) Verdict {
	a := p.asking(s)
	p.send(a)
	again := p.send(a)
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	if again.Err != nil && p.ctx.Err() == nil && again.timedOut() {
		return failed("the retry is not answered")
	}
	if again.Err == nil && again.Status < 400 {
		return failed("the retry gets a %d", again.Status)
	}
	return pass()
}

func checkTooMany(p *Probe) Verdict {
	script := contract.Script{Status: http.StatusTooManyRequests, NoEffect: true}
	a := p.asking(script)
	if first := p.send(a); first.Status != http.StatusTooManyRequests {
		return failed("the first send gets %s", first)
	}
	p.send(a)
	if p.entry(a.Script.Op).Runs < 2 {
		return failed("the 429 is replayed")
	}
	return pass()
}
