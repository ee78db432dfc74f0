package behave

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/onceward/onceward/bench/behave/contract"
)

// longestRetryAfter is what is still sane for an operation that takes a second or two.
const longestRetryAfter = 10 * time.Second

// troubleCases: sizes, and a store that is not there.
func troubleCases() []Case {
	return []Case{
		{Name: "large-request", Group: Trouble, Says: "A body of 3 MiB is carried out once, and the retry is replayed or refused; or both are refused with a 4xx before it takes effect.", Check: checkLargeRequest},
		{Name: "retry-after", Group: Trouble, Says: "If a copy in flight is told when to come back, it is within ten seconds for an operation of about two. " +
			"Not applicable where it is not told, or waits.", Check: checkRetryAfter},
		{Name: "store-down", Group: Trouble, Alone: true,
			Says: "While the store is down a request is refused with a 5xx and does not run; later the same key is carried out once.", Check: checkStoreDown},
		{Name: "store-dies-in-handler", Group: Trouble, Alone: true,
			Says:  "The store dies while the handler is at work and comes back: the operation is not run again.",
			Check: checkStoreDies},
	}
}

func checkLargeRequest(p *Probe) Verdict {
	a := p.ask(func(a *ask) { a.Body = bytes.Repeat([]byte(`{"item":"book"}`), 3<<20/15) })
	first, again := p.send(a), p.send(a)
	effects := p.entry(a.Script.Op).Effects
	switch {
	case effects > 1:
		return failed("%s", p.once(a))
	case effects == 0 && (first.refused() || first.Err != nil && first.Status == 0): // a server that refuses may close before all has been sent
		return passed("it is refused")
	case a.replyOf(first) != "":
		return failed("it gets %s", a.replyOf(first))
	case again.busy():
		return passed("the retry is refused")
	case a.replyOf(again) != "":
		return failed("the retry gets %s", a.replyOf(again))
	}
	return pass()
}

func checkRetryAfter(p *Probe) Verdict {
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	first := p.later(p.base, a)
	if !p.running(a, 1) {
		return failed("it does not run")
	}
	second := p.later(p.base, a)
	p.until(4*time.Second, func() bool { return len(second) > 0 })
	waits := len(second) == 0
	p.open(gate)
	<-first
	got := <-second
	told := got.Header.Get("Retry-After")
	if waits || told == "" {
		return notApplicable("a copy in flight is not told when to come back")
	}
	after, err := time.ParseDuration(told + "s")
	if at, err2 := http.ParseTime(told); err2 == nil {
		after, err = time.Until(at), nil
	}
	if err != nil || after < 0 || after > longestRetryAfter {
		return failed("Retry-After is %s", strconv.Quote(told))
	}
	return pass()
}

// storeIs switches the target's store.
func (p *Probe) storeIs(up bool) bool {
	value := "0"
	if up {
		value = "1"
	}
	_, err := p.control(http.MethodPost, contract.PathStore, url.Values{"up": {value}})
	return err == nil
}

func checkStoreDown(p *Probe) Verdict {
	if !p.about.Store {
		return notApplicable("its store cannot be switched off")
	}
	defer p.storeIs(true)
	if !p.storeIs(false) {
		return notApplicable("POST %s does not work", contract.PathStore)
	}
	a := p.ask()
	down := p.send(a)
	if p.entry(a.Script.Op).Effects > 0 {
		return failed("it took effect without the store")
	}
	if down.Err != nil || down.Status < 500 {
		return failed("it gets %s, which does not say that the server failed", down)
	}
	p.storeIs(true)
	return p.settled(a)
}

func checkStoreDies(p *Probe) Verdict {
	if !p.about.Store {
		return notApplicable("its store cannot be switched off")
	}
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	first := p.later(p.base, a)
	if !p.running(a, 1) {
		return failed("it does not run")
	}
	defer p.storeIs(true)
	if !p.storeIs(false) {
		return notApplicable("POST %s does not work", contract.PathStore)
	}
	p.open(gate)
	p.until(p.allow(patience), func() bool { return len(first) > 0 })
	p.storeIs(true)
	<-first
	p.persist(a)
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	return pass()
}
