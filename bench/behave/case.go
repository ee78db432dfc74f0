package behave

import "fmt"

// Kind says what a case is for.
type Kind string

// The kinds.
const (
	Counts   Kind = "counts"   // behaviour that a client relies on
	Tells    Kind = "tells"    // several answers are right: which one it is
	Protocol Kind = "protocol" // docs/protocol.md; only for targets that speak it
)

// Group is a heading under which cases stand.
type Group string

// The groups, in the order of the tables.
const (
	SameReply Group = "the same reply"
	OneEffect Group = "one effect"
	BadEnds   Group = "handlers that fail"
	SameKey   Group = "same key, another request"
	Isolation Group = "isolation"
	Keys      Group = "keys"
	Trouble   Group = "limits and outages"
)

// Groups lists the groups in order.
func Groups() []Group {
	return []Group{SameReply, OneEffect, BadEnds, SameKey, Isolation, Keys, Trouble}
}

// Case is one thing that a server does right or wrong.
type Case struct {
	Name  string
	Group Group
	Kind  Kind   // default Counts
	Says  string // what a correct server does, with everything that passes
	Alone bool   // it changes the whole target: no other case runs at the same time
	Check func(*Probe) Verdict
}

// Outcome is how a check ended.
type Outcome string

// The outcomes.
const (
	Pass          Outcome = "pass"
	Fail          Outcome = "fail"
	NotApplicable Outcome = "n/a"
)

// Verdict is an outcome, and one line: why it failed or does not apply, or what a case that tells has found. It has no times, addresses or keys
// in it, so that two runs say the same.
type Verdict struct {
	Outcome Outcome `json:"outcome"`
	Note    string  `json:"note,omitempty"`
}

func pass() Verdict { return Verdict{Outcome: Pass} }

func passed(format string, args ...any) Verdict {
	return Verdict{Outcome: Pass, Note: fmt.Sprintf(format, args...)}
}

func failed(format string, args ...any) Verdict {
	return Verdict{Outcome: Fail, Note: fmt.Sprintf(format, args...)}
}

func notApplicable(format string, args ...any) Verdict {
	return Verdict{Outcome: NotApplicable, Note: fmt.Sprintf(format, args...)}
}

// Cases lists all cases in the order of the tables.
func Cases() []Case {
	var all []Case
	for _, part := range [][]Case{replyCases(), effectCases(), hangUpCases(), sharedCases(), endCases(), requestCases(), isolationCases(), keyCases(),
		troubleCases(), tellCases(), protocolCases()} {
		all = append(all, part...)
	}
	for i := range all {
		if all[i].Kind == "" {
			all[i].Kind = Counts
		}
	}
	return all
}
