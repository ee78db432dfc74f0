package store

import "fmt"

// Verdict is what a call on a store came to.
type Verdict uint8

// The verdicts. A refusal changes nothing but the marks and the trail.
const (
	Granted        Verdict = iota + 1 // Claim: the token holds the record
	TakenOver                         // Claim: the token holds the record in place of a lapsed one
	Replay                            // Claim, Decide, Get: Done, here is the reply
	InFlight                          // Claim, Decide, Get: open, another's, not lapsed
	Unknown                           // Claim, Decide, Get: started, lapsed, no reply
	Mismatch                          // Claim: the record is of another request
	Incomparable                      // Claim: the record's fingerprint version is not among the request's
	Expired                           // Claim, Decide, Get: absent, and the key is sealed or too old
	FromFuture                        // Claim, Decide: absent, and the key is minted in the future
	HorizonTooLong                    // Claim: absent, and the client might retry after the window
	Stale                             // Claim: later than the request's ValidUntil
	Dead                              // Claim: the token has been released
	Applied                           // Advance, Decide: carried out, now or before
	Yielded                           // Advance: not released but yielded, for the record is doubted
	Lapsed                            // Advance: too late to extend. Get: claimed and lapsed
	Lost                              // Advance: the token does not hold the record
	Conflict                          // Decide: the record is not at the version that was looked at
	Absence                           // Decide, Get: there is no record
)

var verdictNames = [...]string{
	Granted: "granted", TakenOver: "taken over", Replay: "replay", InFlight: "in flight", Unknown: "unknown",
	Mismatch: "mismatch", Incomparable: "incomparable", Expired: "expired", FromFuture: "from the future",
	HorizonTooLong: "horizon too long", Stale: "stale", Dead: "dead", Applied: "applied", Yielded: "yielded",
	Lapsed: "lapsed", Lost: "lost", Conflict: "conflict", Absence: "absence",
}

// String names the verdict.
func (v Verdict) String() string { return name(verdictNames[:], int(v), "verdict") }

var stateNames = [...]string{Absent: "absent", Claimed: "claimed", Started: "started", Done: "done"}

// String names the state.
func (s State) String() string { return name(stateNames[:], int(s), "state") }

var policyNames = [...]string{MarkUnknown: "unknown", Rerun: "rerun"}

// String names the policy as configuration spells it.
func (p Policy) String() string { return name(policyNames[:], int(p), "policy") }

var endNames = [...]string{
	EndNone: "none", EndReply: "reply", EndReplyNotKept: "reply not kept",
	EndNotExecuted: "not executed", EndCancelled: "cancelled",
}

// String names the end.
func (e End) String() string { return name(endNames[:], int(e), "end") }

var opNames = [...]string{
	OpStart: "start", OpExtend: "extend", OpComplete: "complete", OpYield: "yield", OpRelease: "release",
}

// String names the step.
func (o Op) String() string { return name(opNames[:], int(o), "op") }

var decisionNames = [...]string{
	Happened: "happened", DidNotHappen: "did not happen", Cancel: "cancel", ReleaseClaim: "release claim",
}

// String names the decision.
func (d Decision) String() string { return name(decisionNames[:], int(d), "decision") }

var actionNames = [...]string{
	ActionHappened: "resolved as happened", ActionDidNotHappen: "resolved as not happened",
	ActionCancelled: "cancelled", ActionReleased: "released", ActionContradiction: "contradiction",
}

// String names the action.
func (a Action) String() string { return name(actionNames[:], int(a), "action") }

var classNames = [...]string{ClassUnknown: "unknown", ClassOpen: "open", ClassDone: "done"}

// String names the class.
func (c Class) String() string { return name(classNames[:], int(c), "class") }

// name looks up the name of an enumerated value; one out of range, or unnamed, is shown by its number.
func name(names []string, i int, kind string) string {
	if i < len(names) && names[i] != "" {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", kind, i)
}
