package behave

import (
	"net/http"
	"slices"

	"github.com/onceward/onceward/bench/behave/contract"
)

// replyCases: a retry gets the reply of the first send, whatever that looks like. Those about one shape of a reply do not apply where the retry is
// refused.
func replyCases() []Case {
	script := func(s contract.Script) func(*Probe) Verdict {
		return func(p *Probe) Verdict { return p.replays(s) }
	}
	return []Case{
		{Name: "retry", Group: SameReply, Says: "Ten retries get status, headers and body of the first reply, and nothing runs.", Check: checkRetry},
		{Name: "marked", Group: SameReply, Says: "A replay can be told from an execution: some header is on each replay and not on the first reply. Not applicable where nothing is replayed.", Check: checkMarked},
		{Name: "content-type", Group: SameReply, Says: "A replay has the Content-Type of the first reply.",
			Check: script(contract.Script{Header: [][2]string{{"Content-Type", "application/vnd.shop.order+json; charset=utf-8"}}})},
		{Name: "multi-value-header", Group: SameReply, Says: "A replay has every value of a header, in order.",
			Check: script(contract.Script{Header: [][2]string{{"Link", "<c>"}, {"Link", "<a>"}, {"Link", "<b>"}, {"Link", "<a>"}}})},
		{Name: "comma-in-header", Group: SameReply, Says: "A header value with a comma is replayed as one value.",
			Check: script(contract.Script{Header: [][2]string{{"Last-Modified", "Tue, 03 Nov 2026 08:00:00 GMT"}}})},
		{Name: "no-content", Group: SameReply, Says: "A 204 is replayed as a 204.", Check: script(contract.Script{Status: http.StatusNoContent})},
		{Name: "redirect", Group: SameReply, Says: "A 303 is replayed with its Location.",
			Check: script(contract.Script{Status: http.StatusSeeOther, Header: [][2]string{{"Location", "/orders/7"}}})},
		{Name: "encoded", Group: SameReply, Says: "A replay has the Content-Encoding and the ETag of the first reply.",
			Check: script(contract.Script{Header: [][2]string{{"Content-Encoding", "br"}, {"ETag", `"v1"`}}})},
		{Name: "trailers", Group: SameReply, Says: "Trailers are on the first reply and on the replay. Not applicable where the bare handler can send none.",
			Check: checkTrailers},
		{Name: "copied-body", Group: SameReply, Says: "A status that is written first and a body that is copied from a reader are replayed.",
			Check: script(contract.Script{Copy: true, Size: 2000})},
		{Name: "streamed", Group: SameReply, Says: "A reply that the handler flushes in parts is replayed whole.",
			Check: script(contract.Script{Flush: true, Size: 3000})},
		{Name: "large-reply", Group: SameReply, Says: "An operation with a reply of 2 MiB is not run again: the retry gets the reply, or a 4xx that says that it was not kept.",
			Check: checkLarge},
		{Name: "broken-off", Group: SameReply, Says: "A reply shorter than its declared length is never shown as a whole one, and the operation is not run again.",
			Check: checkBrokenOff},
	}
}

// replays sends twice; the second reply must be the first. A retry that is refused is no replay, right or wrong: that counts in the case "retry".
func (p *Probe) replays(s contract.Script) Verdict {
	a, bare := p.scripted(s)
	first := p.send(a)
	if fault := differsFromBare(first, bare); fault != "" {
		return failed("the first reply is not the handler's: %s", fault)
	}
	again := p.send(a)
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	if again.busy() && again.Status != first.Status {
		return notApplicable("the retry is refused")
	}
	if fault := differs(again, first, bare); fault != "" {
		return failed("the retry's reply: %s", fault)
	}
	return pass()
}

// scripted returns an operation with a script, and what the handler replies to such a request without the middleware.
func (p *Probe) scripted(s contract.Script) (a ask, bare answer) {
	plain := p.asking(s)
	plain.Path = contract.PathPlain
	return p.asking(s), p.send(plain)
}

// differsFromBare compares all but the body, in which names differ.
func differsFromBare(got, bare answer) string {
	got.Body = bare.Body
	return differs(got, bare, bare)
}

func checkRetry(p *Probe) Verdict {
	a, bare := p.scripted(contract.Script{Header: [][2]string{{"X-Order", "7"}}})
	first := p.send(a)
	if fault := a.replyOf(first); fault != "" {
		return failed("the first send gets %s", fault)
	}
	for range 10 {
		if fault := differs(p.send(a), first, bare); fault != "" {
			return failed("the retry's reply: %s", fault)
		}
	}
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	return pass()
}

func checkMarked(p *Probe) Verdict {
	a := p.ask()
	first, again, third := p.send(a), p.send(a), p.send(a)
	if a.replyOf(again) != "" {
		return notApplicable("there is no replay")
	}
	for name := range again.Header {
		if !slices.Contains(message, name) && first.Header.Get(name) != again.Header.Get(name) && again.Header.Get(name) == third.Header.Get(name) {
			return pass()
		}
	}
	return failed("first reply and replay have the same headers")
}

func checkTrailers(p *Probe) Verdict {
	s := contract.Script{Trailer: [][2]string{{"X-Sum", "4"}, {"X-Parts", "1"}, {"X-Parts", "2"}}}
	if _, bare := p.scripted(s); bare.Trailer.Get("X-Sum") == "" {
		return notApplicable("the bare handler sends no trailers")
	}
	return p.replays(s)
}

func checkLarge(p *Probe) Verdict {
	a := p.ask(func(a *ask) { a.Script.Size = 2 << 20 })
	first := p.send(a)
	if first.Err != nil || len(first.Body) != a.Script.Size {
		return failed("the first send gets %s with another length", first)
	}
	again := p.send(a)
	switch fault := p.once(a); {
	case fault != "":
		return failed("%s", fault)
	case again.refused():
		return passed("the retry is refused")
	case again.Err != nil || again.Status != first.Status || again.Body != first.Body:
		return failed("the retry gets %s that is not the reply", again)
	}
	return pass()
}

func checkBrokenOff(p *Probe) Verdict {
	s := contract.Script{Size: 600, Short: 100}
	a, bare := p.scripted(s)
	if bare.Err == nil {
		return notApplicable("the bare handler's reply does not break off")
	}
	for _, got := range []answer{p.send(a), p.send(a)} {
		if got.Err == nil && !got.refused() && got.Status < 500 {
			return failed("a truncated reply is shown as a whole %d", got.Status)
		}
	}
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	return pass()
}
