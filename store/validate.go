package store

import (
	"errors"
	"fmt"
	"time"
)

// ErrInvalid is what the errors of the Validate methods wrap: the caller's mistake, found before anything was read or
// written. The call was not carried out, and repeating it will not help.
var ErrInvalid = errors.New("store: invalid request")

// Validate reports every field that is empty or longer than its limit, by name and length; the contents stay out of the error,
// because a key is a secret.
func (who Identity) Validate() error {
	var f faults
	who.check(&f)
	return f.err()
}

func (who Identity) check(f *faults) {
	if who.ID == (ID{}) {
		f.add("ID is zero: it is the SHA-256 of service, principal and key")
	}
	checkText(f, "Service", who.Service, 1, MaxName)
	checkText(f, "Principal", who.Principal, 1, MaxName)
	checkText(f, "Key", who.Key, 1, MaxKey)
	checkTime(f, "Stamp", who.Stamp)
}

// Validate reports every field that breaks its rule; the error wraps [ErrInvalid].
func (q ClaimRequest) Validate() error {
	var f faults
	q.Identity.check(&f)
	checkToken(&f, q.Token)
	for i, p := range q.Fingerprints {
		if p.Version == 0 {
			f.add("Fingerprints[%d].Version is 0: versions count from 1, send no fingerprint instead", i)
		}
	}
	if q.Policy > Rerun {
		f.add("Policy is %v: it must be MarkUnknown or Rerun", q.Policy)
	}
	checkLease(&f, q.Lease)
	checkDuration(&f, "Window", q.Window)
	checkDuration(&f, "Guard", q.Guard)
	checkDuration(&f, "Horizon", q.Horizon)
	checkTime(&f, "ValidUntil", q.ValidUntil)
	if q.Reserve < 0 {
		f.add("Reserve is %d: it must not be negative", q.Reserve)
	}
	return f.err()
}

// Validate reports every field that breaks its rule; the error wraps [ErrInvalid].
func (q AdvanceRequest) Validate() error {
	var f faults
	q.Identity.check(&f)
	checkToken(&f, q.Token)
	switch q.Op {
	case OpStart, OpExtend:
		checkLease(&f, q.Lease)
	case OpComplete:
		if q.End != EndReply && q.End != EndReplyNotKept {
			f.add("End is %v: an owner completes with EndReply or EndReplyNotKept", q.End)
		}
		checkDuration(&f, "Window", q.Window)
		checkDuration(&f, "Guard", q.Guard)
	case OpRelease:
		checkTime(&f, "ValidUntil", q.ValidUntil)
	case OpYield:
	default:
		f.add("Op is %v: it is not a step of Advance", q.Op)
	}
	if q.Reply != nil && (q.Op != OpComplete || q.End != EndReply) {
		f.add("Reply is set: it goes with OpComplete and EndReply only")
	}
	return f.err()
}

// Validate reports every field that breaks its rule; the error wraps [ErrInvalid].
func (q DecideRequest) Validate() error {
	var f faults
	q.Identity.check(&f)
	checkToken(&f, q.Token)
	if q.Decision < Happened || q.Decision > ReleaseClaim {
		f.add("Decision is %v: it is none of the decisions", q.Decision)
	}
	least := 1
	if q.Decision == Cancel {
		least = 0
	}
	checkText(&f, "Actor", q.Actor, least, MaxName)
	checkText(&f, "Reason", q.Reason, least, MaxReason)
	if q.Reply != nil && q.Decision != Happened {
		f.add("Reply is set: it goes with Happened only")
	}
	if q.Attested && q.Decision != DidNotHappen {
		f.add("Attested is set: it goes with DidNotHappen only")
	}
	checkDuration(&f, "Window", q.Window)
	checkDuration(&f, "Guard", q.Guard)
	return f.err()
}

// Validate reports every field that breaks its rule; the error wraps [ErrInvalid]. The cursor is the store's to check.
func (q ListRequest) Validate() error {
	var f faults
	checkText(&f, "Service", q.Service, 0, MaxName)
	checkText(&f, "Principal", q.Principal, 0, MaxName)
	if q.Class < ClassUnknown || q.Class > ClassDone {
		f.add("Class is %v: it must be ClassUnknown, ClassOpen or ClassDone", q.Class)
	}
	checkTime(&f, "Before", q.Before)
	checkLimit(&f, q.Limit)
	return f.err()
}

// Validate reports every field that breaks its rule; the error wraps [ErrInvalid]. The cursor is the store's to check.
func (q TrailRequest) Validate() error {
	var f faults
	checkLimit(&f, q.Limit)
	return f.err()
}

// Validate reports every field that breaks its rule; the error wraps [ErrInvalid].
func (q PurgeRequest) Validate() error {
	var f faults
	if q.Limit < 1 {
		f.add("Limit is %d: it must be at least 1", q.Limit)
	}
	checkTime(&f, "Expect", q.Expect)
	checkDuration(&f, "Tolerance", q.Tolerance)
	return f.err()
}

// ValidateSeal checks the arguments of [Upkeep.Seal]; the error wraps [ErrInvalid].
func ValidateSeal(service string, until Time) error {
	var f faults
	checkText(&f, "service", service, 1, MaxName)
	checkTime(&f, "until", until)
	return f.err()
}

// faults collects what is wrong, so that a caller sees all of it at once. A request without faults costs no allocation.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalid, errors.Join(f...))
}

func checkText(f *faults, field, text string, least, most int) {
	if len(text) < least || len(text) > most {
		f.add("%s has %d bytes: it must have %d to %d", field, len(text), least, most)
	}
}

func checkTime(f *faults, field string, t Time) {
	if t < 0 {
		f.add("%s is %d: a time must not be before 1970", field, int64(t))
	}
}

func checkToken(f *faults, t Token) {
	if t == (Token{}) {
		f.add("Token is zero: draw 128 random bits for every claim and decision")
	}
}

func checkLease(f *faults, d time.Duration) {
	if d <= 0 {
		f.add("Lease is %v: it must be positive", d)
	}
}

func checkDuration(f *faults, field string, d time.Duration) {
	if d < 0 {
		f.add("%s is %v: it must not be negative", field, d)
	}
}

func checkLimit(f *faults, n int) {
	if n < 1 || n > MaxPage {
		f.add("Limit is %d: it must be 1 to %d", n, MaxPage)
	}
}
