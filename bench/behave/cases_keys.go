package behave

import (
	"net/http"
	"strings"
)

// keyCases: how a key may look on its way. A server may refuse what it does not like; it may not take two keys for one, or one for two.
func keyCases() []Case {
	return []Case{
		{Name: "quoted", Group: Keys, Says: "A key in quotes, as the IETF draft writes it, and the bare key are one; or one of the forms is refused.", Check: checkQuoted},
		{Name: "long", Group: Keys, Says: "Two keys of 4,000 characters that differ in the last are two; or they are refused.",
			Check: func(p *Probe) Verdict { return p.apart(strings.Repeat("k", 4000)+"a", strings.Repeat("k", 4000)+"b") }},
		{Name: "case", Group: Keys, Says: "Keys that differ in case are two; or they are refused.",
			Check: func(p *Probe) Verdict { k := p.fresh(); return p.apart("k"+k, "K"+k) }},
		{Name: "empty", Group: Keys, Says: "An empty key is no key that callers share: it is refused, or counts as no key.",
			Check: func(p *Probe) Verdict { return p.apart("", "") }},
		{Name: "missing", Group: Keys, Says: "Without a key a request is refused, or runs each time.", Check: checkMissing},
		{Name: "joined-headers", Group: Keys, Says: "A request with two different keys is refused; or it is one operation, also when a proxy has joined the two headers with a comma.",
			Check: func(p *Probe) Verdict {
				k, l := p.fresh(), p.fresh()
				return p.oneOrRefused([]string{k, l}, []string{k + ", " + l})
			}},
		{Name: "control-character", Group: Keys, Says: "A key with a control character or a byte beyond ASCII is refused, or is a key like any other; it breaks nothing.",
			Check: checkControl},
		{Name: "safe-methods", Group: Keys, Says: "GET and HEAD are not replayed, with a key or without.", Check: checkSafe},
	}
}

func checkQuoted(p *Probe) Verdict {
	key := p.fresh()
	return p.oneOrRefused([]string{key}, []string{`"` + key + `"`})
}

// oneOrRefused sends the same request with its key written in two ways.
func (p *Probe) oneOrRefused(first, then []string) Verdict {
	a := p.ask()
	one, two := p.withKeyLines(a, first...), p.withKeyLines(a, then...)
	for _, got := range []answer{one, two} {
		if a.replyOf(got) != "" && !got.refused() {
			if fault := p.once(a); fault != "" {
				return failed("%s", fault)
			}
			return failed("it gets %s", a.replyOf(got))
		}
	}
	if p.entry(a.Script.Op).Effects > 1 {
		return failed("%s", p.once(a))
	}
	switch {
	case one.refused() && two.refused():
		return passed("both are refused")
	case one.refused(), two.refused():
		return passed("one is refused")
	}
	return pass()
}

// apart sends two operations with two keys. Both are carried out, or both are refused; none gets the other's reply.
func (p *Probe) apart(first, second string) Verdict {
	a, b := p.ask(), p.ask()
	one, two := p.withKeyLines(a, first), p.withKeyLines(b, second)
	switch {
	case one.refused() && two.refused():
		return passed("both are refused")
	case a.replyOf(one) != "":
		return failed("the first gets %s", a.replyOf(one))
	case b.replyOf(two) != "":
		return failed("the second gets %s", b.replyOf(two))
	}
	return pass()
}

func checkMissing(p *Probe) Verdict {
	a := p.ask(func(a *ask) { a.Key = "" })
	first, again := p.send(a), p.send(a)
	switch runs := p.entry(a.Script.Op).Runs; {
	case first.refused() && again.refused() && runs == 0:
		return pass()
	case first.Err == nil && again.Err == nil && first.Status == again.Status && first.Status == a.wantStatus() && runs == 2:
		return pass()
	}
	return failed("first %s, then %s", first, again)
}

func checkControl(p *Probe) Verdict {
	for _, odd := range []string{"\x01", "\x7f", "é", "\xff"} {
		a := p.ask()
		key := p.fresh() + odd + "x"
		for range 2 {
			if got := p.withKeyLines(a, key); got.Err == nil && !got.refused() && a.replyOf(got) != "" {
				return failed("it gets %s", a.replyOf(got))
			}
		}
		if fault := p.once(a); fault != "" && p.entry(a.Script.Op).Effects != 0 {
			return failed("%s", fault)
		}
	}
	return pass()
}

func checkSafe(p *Probe) Verdict {
	a := p.ask()
	p.send(a)
	read := p.ask(func(r *ask) { r.Key, r.Method = a.Key, http.MethodGet })
	for n := 1; n <= 2; n++ {
		got := p.send(read)
		if got.Status == http.StatusMethodNotAllowed || got.Status == http.StatusNotFound {
			return notApplicable("the target answers %d", got.Status)
		}
		if r, ok := got.receipt(); !ok || r.Op != read.Script.Op || r.Run != n {
			return failed("a GET is replayed")
		}
	}
	head := p.ask(func(r *ask) { r.Method = http.MethodHead })
	for range 2 {
		p.send(head)
	}
	if p.entry(head.Script.Op).Runs != 2 {
		return failed("a HEAD is replayed")
	}
	return pass()
}
