package behave

// isolationCases: two callers that happen to use the same key, or one that guesses the other's.
func isolationCases() []Case {
	return []Case{
		{Name: "no-leak", Group: Isolation, Says: "Another principal with the same key and the same request never gets the first's reply.", Check: checkNoLeak},
		{Name: "own-operation", Group: Isolation, Says: "It is carried out as an operation of its own, and both keep their replies.", Check: checkOwnOperation},
		{Name: "anonymous", Group: Isolation, Says: "A caller without an identity does not get the reply of one who has one.", Check: checkAnonymous},
	}
}

// asBob is alice's request as bob would send it; the operation in the ledger is the same.
func asBob(a ask) ask {
	a.Principal = "bob"
	return a
}

func checkNoLeak(p *Probe) Verdict {
	a := p.ask()
	if fault := a.replyOf(p.send(a)); fault != "" {
		return failed("the first send gets %s", fault)
	}
	if r, ok := p.send(asBob(a)).receipt(); ok && r.Principal == "alice" {
		return failed("bob gets alice's reply")
	}
	return pass()
}

func checkOwnOperation(p *Probe) Verdict {
	alice := p.ask()
	bob := p.ask(func(a *ask) { a.Key, a.Principal = alice.Key, "bob" })
	bob.Script.Op = alice.Script.Op + " of bob"
	for range 2 {
		for _, a := range []ask{alice, bob} {
			if fault := a.replyOf(p.send(a)); fault != "" {
				return failed("%s gets %s", a.Principal, fault)
			}
		}
	}
	if p.once(alice) != "" || p.once(bob) != "" {
		return failed("it took effect more than once for each")
	}
	return pass()
}

func checkAnonymous(p *Probe) Verdict {
	a := p.ask()
	if fault := a.replyOf(p.send(a)); fault != "" {
		return failed("the first send gets %s", fault)
	}
	a.Principal = ""
	if r, ok := p.send(a).receipt(); ok && r.Principal == "alice" {
		return failed("it gets alice's reply")
	}
	return pass()
}
