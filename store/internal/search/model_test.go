package search

import (
	"time"

	"github.com/onceward/onceward/store"
)

// model is what holds throughout one search: the configuration of the servers, what may happen, the rules, and what is checked.
type model struct {
	policy      store.Policy
	twoPhase    bool // claim into CLAIMED, then start
	transaction bool // effect and record commit together

	stamp    store.Time
	horizon  time.Duration // what the client says of its retrying
	epochs   uint8         // how many may pass
	ticks    moment        // how many leases may lapse in an epoch
	losses   uint8         // how many answers to claims may get lost
	noDesk   bool          // no operator
	noCancel bool          // no cancel by the client
	raise    bool          // the window may be configured longer at any time; else only after an epoch
	noRaise  bool          // or never
	back     bool          // the clock may go back
	reload   bool          // the policy may be changed while a record is open

	claim   func(store.Record, store.ClaimRequest, store.Env) store.Step
	advance func(store.Record, store.AdvanceRequest, store.Env) store.Step
	decide  func(store.Record, store.DecideRequest, store.Env) store.Step
	naive   naive
	check   []property

	heard [store.Absence + 1]int // how often each verdict was given
}

// naive are mistakes that are not in a transition but in who calls it.
type naive struct {
	noSeal       bool // purge removes and does not seal
	sealLate     bool // purge removes first
	checkFirst   bool // the key's age is checked before the claim, not with it
	freeDoubt    bool // a 503 of a timeout frees the key while the work goes on
	ownReply     bool // an owner answers its own reply, whatever became of the record
	futureIsSafe bool // a key from the future, or of too long a horizon, is answered with safe_new_key: true
}

// real is the protocol as it is.
func real(policy store.Policy) model {
	return model{
		policy: policy,
		stamp:  base, epochs: 2, ticks: 2, losses: 1,
		claim: store.Claim, advance: store.Advance, decide: store.Decide,
		check: everything,
	}
}

func (m *model) first() world { return world{} }

// env is what the store reads for a call with i's token; i below zero: for somebody else.
func (m *model) env(w *world, i int) store.Env {
	e := store.Env{Now: w.now.time()}
	if w.sealed {
		e.Watermark = m.stamp
	}
	if i >= 0 {
		mark := w.calls[i].mark
		e.Dead = mark != 0 && w.now <= mark
	}
	return e
}

func (m *model) window(w *world) time.Duration {
	if w.raised {
		return longWindow
	}
	return window
}

func (m *model) identity() store.Identity {
	return store.Identity{ID: store.ID{1}, Service: "bank", Principal: "alice", Key: "transfer", Stamp: m.stamp}
}

var fingerprint = store.Fingerprint{Version: 1, Sum: [32]byte{7}}

// token puts n where store.FirstVersion sees it: versions of different lives differ as they do with random tokens.
func token(n uint8) store.Token { return store.Token{7: n} }

// number is the other way round.
func number(t store.Token) uint8 { return t[7] }

// record is the record that the store would read.
func (m *model) record(w *world) store.Record {
	r := w.row
	if r.state == store.Absent {
		return store.Record{}
	}
	out := store.Record{
		Identity: m.identity(), State: r.state, Token: token(r.token), Policy: r.policy, Doubted: r.doubted,
		End: r.end, SafeNewKey: r.safe, PurgeAt: r.purge, Version: r.version, Claims: 1, FirstSeen: base,
	}
	if !r.unstarted {
		out.Fingerprint = fingerprint
	}
	if r.state != store.Done {
		out.Lease = r.lease.time()
	}
	if r.reply != 0 {
		out.Reply = []byte{r.reply}
	}
	return out
}

// keep is the other way round.
func keep(r store.Record) row {
	if r.State == store.Absent {
		return row{}
	}
	out := row{
		state: r.State, policy: r.Policy, end: r.End, token: number(r.Token), doubted: r.Doubted, safe: r.SafeNewKey,
		purge: r.PurgeAt, version: r.Version, unstarted: r.Fingerprint.Version == 0,
	}
	if r.State != store.Done {
		out.lease = moment(r.Lease - base)
	}
	if len(r.Reply) > 0 {
		out.reply = r.Reply[0]
	}
	return out
}

func (m *model) claimRequest(w *world, i int) store.ClaimRequest {
	policy := m.policy
	if w.reloaded {
		policy = store.Rerun
	}
	return store.ClaimRequest{
		Identity: m.identity(), Token: token(uint8(i + 1)), Fingerprints: []store.Fingerprint{fingerprint},
		Policy: policy, Start: !m.twoPhase, Lease: tick, Window: m.window(w), Guard: guard, Horizon: m.horizon,
		ValidUntil: w.calls[i].until.time(),
	}
}

func (m *model) advanceRequest(w *world, i int, op store.Op) store.AdvanceRequest {
	q := store.AdvanceRequest{
		Identity: m.identity(), Token: token(uint8(i + 1)), Op: op, Lease: tick,
		Window: m.window(w), Guard: guard, ValidUntil: w.calls[i].until.time(),
	}
	if op == store.OpComplete {
		q.End, q.Reply = store.EndReply, []byte{uint8(i + 1)}
	}
	return q
}
