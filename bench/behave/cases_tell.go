package behave

import (
	"net/http"
	"time"

	"github.com/onceward/onceward/bench/behave/contract"
)

// tellCases: several answers are right, and a client should know which one it gets.
func tellCases() []Case {
	return []Case{
		{Name: "in-flight", Group: OneEffect, Kind: Tells, Says: "What a copy gets while the first is at work.", Check: tellInFlight},
		{Name: "after-panic", Group: BadEnds, Kind: Tells, Says: "What the retry gets after a panic.", Check: tellAfterPanic},
		{Name: "without-key", Group: Keys, Kind: Tells, Says: "What a request without a key gets.", Check: tellWithoutKey},
		{Name: "live-stream", Group: SameReply, Kind: Tells, Says: "Whether a flushed part reaches the client while the handler goes on.", Check: tellLiveStream},
		{Name: "set-cookie", Group: SameReply, Kind: Tells, Says: "Whether Set-Cookie is replayed.", Check: tellSetCookie},
		{Name: "after-window", Group: Keys, Kind: Tells, Says: "What a copy gets after the key's time, where the key does not tell its age.", Check: tellAfterWindow},
	}
}

func tellInFlight(p *Probe) Verdict {
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	first := p.later(p.base, a)
	if !p.running(a, 1) {
		return failed("it does not run")
	}
	second := p.later(p.base, a)
	at := time.Now()
	p.until(4*time.Second, func() bool { return len(second) > 0 })
	waited := time.Since(at)
	waits := len(second) == 0
	p.open(gate)
	<-first
	got := <-second
	switch {
	case waits:
		return passed("waits for the reply, without a limit")
	case waited > time.Second:
		return passed("waits for a while, then %s", got)
	}
	return passed("%s at once", got)
}

func tellAfterPanic(p *Probe) Verdict {
	a := p.ask(func(a *ask) { a.Script.Panic = true })
	p.send(a)
	got := p.send(a)
	if runs := p.entry(a.Script.Op).Runs; runs > 1 {
		return passed("a second run")
	}
	return passed("%s", got)
}

func tellWithoutKey(p *Probe) Verdict {
	a := p.ask(func(a *ask) { a.Key = "" })
	got := p.send(a)
	if p.entry(a.Script.Op).Runs > 0 {
		return passed("runs unguarded")
	}
	return passed("%s", got)
}

func tellLiveStream(p *Probe) Verdict {
	gate := p.fresh()
	script := contract.Script{Flush: true, Size: 3000, Pause: gate}
	a := p.asking(script)
	defer p.open(gate)
	w, err := p.start(a)
	if err != nil || !p.running(a, 1) {
		return failed("it does not run")
	}
	defer w.Close()
	if w.reads(p.allow(2 * patience)) {
		return passed("it does")
	}
	return passed("it is withheld")
}

func tellSetCookie(p *Probe) Verdict {
	script := contract.Script{Header: [][2]string{{"Set-Cookie", "session=1"}}}
	a := p.asking(script)
	p.send(a)
	got := p.send(a)
	switch {
	case a.replyOf(got) != "":
		return notApplicable("there is no replay")
	case got.Header.Get("Set-Cookie") != "":
		return passed("it is")
	}
	return passed("it is not")
}

func tellAfterWindow(p *Probe) Verdict {
	if p.about.Window == 0 {
		return notApplicable("its window cannot be made short")
	}
	a := p.ask(func(a *ask) { a.Path = contract.PathShort })
	if got := p.send(a); got.Status != http.StatusCreated {
		return failed("the first send gets %s", got)
	}
	var last answer
	again := p.until(time.Duration(p.about.Window)*time.Millisecond+2500*time.Millisecond, func() bool {
		p.pause(100 * time.Millisecond)
		last = p.send(a)
		return p.entry(a.Script.Op).Runs > 1
	})
	if again {
		return passed("runs again")
	}
	return passed("%s", last)
}
