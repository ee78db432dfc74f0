package store

import "encoding/binary"

// Env is what a transition reads beside the record.
type Env struct {
	Now       Time // the store's clock
	Watermark Time // of the record's service
	Dead      bool // a mark against the request's token is alive
}

// sealed reports whether a key of that stamp is inadmissible for ever.
func (e Env) sealed(stamp Time) bool { return stamp != 0 && stamp <= e.Watermark }

// Write says what becomes of the record.
type Write uint8

// The writes.
const (
	Keep   Write = iota // as it was
	Put                 // becomes Step.Answer.Record
	Remove              // becomes absent
)

// Step is all that one transition writes. A store writes it whole or not at all.
type Step struct {
	Answer Answer
	Write  Write
	Mark   Time   // not zero: a mark against the request's token, alive through this time
	Entry  *Entry // not nil: append it to the trail
}

// found answers with the record as it is.
func found(v Verdict, r Record, env Env) Step {
	return Step{Answer: Answer{Verdict: v, Record: r, Now: env.Now, Watermark: env.Watermark}}
}

// put answers with the record as it becomes.
func put(v Verdict, r Record, env Env) Step {
	s := found(v, r, env)
	s.Write = Put
	return s
}

// remove makes the record absent.
func remove(v Verdict, env Env) Step {
	s := found(v, Record{}, env)
	s.Write = Remove
	return s
}

// FirstVersion is where an owner's versions of a record begin, in a new record and after a takeover. It is drawn from the owner's token, so that
// a version names its owner too: otherwise a decision about a record that was looked at could fit a later owner's. 52 bits: it goes through JSON whole.
func FirstVersion(t Token) uint64 {
	drawn := binary.BigEndian.Uint64(t[:8]) ^ binary.BigEndian.Uint64(t[8:])
	return drawn&(1<<40-1)<<12 + 1
}

// finish makes r Done by token and fixes its purge time.
func finish(r Record, token Token, end End, reply []byte, keep keeping, now Time) Record {
	r.State, r.Token, r.Lease = Done, token, 0
	r.End, r.Reply, r.DoneAt = end, reply, now
	r.PurgeAt = max(r.Stamp, now).Add(keep.window).Add(keep.guard)
	r.Version++
	return r
}
