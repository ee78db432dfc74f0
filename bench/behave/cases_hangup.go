package behave

import (
	"bytes"

	"github.com/onceward/onceward/bench/behave/contract"
)

// hangUpCases: the connection dies, and the client sends again.
func hangUpCases() []Case {
	return []Case{
		{Name: "hang-up", Group: OneEffect, Says: "The client hangs up while the handler is at work: it takes effect once, and the retry gets the reply.", Check: checkHangUp},
		{Name: "hang-up-with-waiter", Group: OneEffect, Says: "The first client hangs up while a copy is there: one effect, and the copy, or its retry, gets the reply.",
			Check: checkHangUpWithWaiter},
		{Name: "reply-lost", Group: OneEffect, Says: "The connection dies after the effect and before the reply is read: the retry gets it.", Check: checkReplyLost},
		{Name: "hang-up-in-stream", Group: OneEffect, Says: "The client hangs up in the middle of a streamed reply: the retry gets the whole of it.", Check: checkHangUpInStream},
		{Name: "upload-cut", Group: OneEffect, Says: "The connection dies in the middle of the request's body: the retry, whole, is carried out.", Check: checkUploadCut},
	}
}

func checkHangUp(p *Probe) Verdict {
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	w, err := p.start(a)
	if err != nil || !p.running(a, 1) {
		return failed("it does not run")
	}
	w.hangUp()
	p.pause(p.allow(settle))
	p.open(gate)
	p.pause(p.allow(settle)) // for it to end before the retry comes
	return p.settled(a)
}

func checkHangUpWithWaiter(p *Probe) Verdict {
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	w, err := p.start(a)
	if err != nil || !p.running(a, 1) {
		return failed("it does not run")
	}
	second := p.later(p.base, a)
	p.pause(p.allow(settle))
	w.hangUp()
	p.pause(p.allow(settle))
	p.open(gate)
	if got := <-second; a.replyOf(got) != "" && !got.busy() {
		return failed("the copy gets %s", a.replyOf(got))
	}
	return p.settled(a)
}

func checkReplyLost(p *Probe) Verdict {
	a := p.ask()
	w, err := p.start(a)
	if err != nil || !p.running(a, 1) {
		return failed("it does not run")
	}
	w.hangUp()
	p.pause(p.allow(settle))
	return p.settled(a)
}

func checkHangUpInStream(p *Probe) Verdict {
	gate := p.fresh()
	script := contract.Script{Flush: true, Size: 3000, Pause: gate}
	a := p.asking(script)
	defer p.open(gate)
	w, err := p.start(a)
	if err != nil || !p.running(a, 1) {
		return failed("it does not run")
	}
	w.reads(p.allow(patience)) // a server that buffers sends nothing yet
	w.hangUp()
	p.pause(p.allow(settle))
	p.open(gate)
	p.pause(p.allow(settle))
	if v := p.settled(a); v.Outcome != Pass {
		return v
	}
	if got := p.send(a); len(got.Body) != a.Script.Size {
		return failed("the retry gets a part of the reply")
	}
	return pass()
}

func checkUploadCut(p *Probe) Verdict {
	a := p.ask(func(a *ask) { a.Body = bytes.Repeat([]byte(`{"item":"book"}`), 400) })
	text, err := p.bytes(a)
	if err != nil {
		return failed("%v", err)
	}
	w, err := p.startBytes(text[:len(text)-len(a.Body)/2])
	if err != nil {
		return failed("it does not connect")
	}
	p.pause(p.allow(settle))
	w.hangUp()
	p.pause(p.allow(settle))
	return p.settled(a)
}
