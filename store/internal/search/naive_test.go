package search

import (
	"testing"

	"github.com/onceward/onceward/store"
)

// mistake is one rule replaced, and what must come of it.
type mistake struct {
	name   string
	breaks property
	make   func(m *model)
}

// few leaves out who is not needed to show a mistake.
func few(m *model) { m.losses, m.noDesk, m.noCancel = 0, true, true }

var mistakes = []mistake{
	{"a claim that expires, and a save that asks for no token", oneEffect, func(m *model) {
		few(m)
		rerunAlways(m)
		saveBlindly(m)
	}},
	{"a blind save writes over the first reply", doneStays, func(m *model) {
		few(m)
		rerunAlways(m)
		saveBlindly(m)
	}},
	{"lease and token only: what was started runs again on a lapse", oneEffect, func(m *model) {
		few(m)
		rerunAlways(m)
	}},
	{"purge without seal", oneEffect, func(m *model) {
		few(m)
		m.naive.noSeal = true
	}},
	{"purge without seal leaves an absent record", ruleOne, func(m *model) {
		few(m)
		m.naive.noSeal = true
	}},
	{"purge removes first and seals afterwards", oneEffect, func(m *model) {
		few(m)
		m.naive.sealLate = true
	}},
	{"the age of the key alone decides, no watermark", oneEffect, func(m *model) {
		few(m)
		m.claim = func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
			env.Watermark = 0
			return store.Claim(r, q, env)
		}
	}},
	{"no watermark, in a transaction", oneEffect, func(m *model) {
		few(m)
		m.transaction, m.naive.noSeal = true, true
	}},
	{"the age of the key is checked before the claim", oneEffect, func(m *model) {
		few(m)
		m.naive.checkFirst = true
	}},
	{"a timeout's 503 frees the key", oneEffect, func(m *model) {
		few(m)
		m.naive.freeDoubt = true
	}},
	{"resolved as not happened means absent", oneEffect, func(m *model) {
		few(m)
		m.noDesk = false
		m.decide = func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
			s := store.Decide(r, q, env)
			if q.Decision == store.DidNotHappen && s.Write == store.Put {
				s.Write, s.Answer.Record = store.Remove, store.Record{}
			}
			return s
		}
	}},
	{"resolved as not happened means a new key is safe, attested or not", oneEffect, func(m *model) {
		few(m)
		m.noDesk = false
		m.decide = func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
			q.Attested = true
			return store.Decide(r, q, env)
		}
	}},
	{"a record's versions begin at one in every life", oneEffect, func(m *model) {
		few(m)
		m.noDesk = false
		m.claim = func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
			s := store.Claim(r, q, env)
			if r.State == store.Absent && s.Write == store.Put {
				s.Answer.Record.Version = 1
			}
			return s
		}
	}},
	{"a cancel takes what has started and lapsed", oneEffect, func(m *model) {
		few(m)
		m.noCancel = false
		m.decide = func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
			if r.Unknown(env.Now) {
				r.State = store.Claimed
			}
			return store.Decide(r, q, env)
		}
	}},
	{"the request's policy decides, not the record's", oneEffect, func(m *model) {
		few(m)
		m.reload = true
		m.claim = func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
			r.Policy = q.Policy
			return store.Claim(r, q, env)
		}
	}},
	{"an owner answers its own reply", sameReply, func(m *model) {
		few(m)
		m.policy, m.naive.ownReply = store.Rerun, true
	}},
	{"release of a doubted record makes it absent", ruleOne, func(m *model) {
		few(m)
		m.policy = store.Rerun
		m.advance = func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
			if q.Op == store.OpRelease {
				r.Doubted = false
			}
			return store.Advance(r, q, env)
		}
	}},
	{"release leaves no mark", deadStays, func(m *model) {
		m.noDesk, m.noCancel = true, true
		m.advance = func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
			q.ValidUntil = 0
			return store.Advance(r, q, env)
		}
	}},
	{"a claim is valid for ever, its mark is not", deadStays, func(m *model) {
		m.noDesk, m.noCancel = true, true
		m.claim = func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
			q.ValidUntil = 0
			return store.Claim(r, q, env)
		}
	}},
	{"a refused key from the future is answered with safe_new_key: true", oneEffect, func(m *model) {
		few(m)
		m.stamp, m.naive.futureIsSafe = base+80, true
	}},
	{"a refused horizon is answered with safe_new_key: true", oneEffect, func(m *model) {
		few(m)
		m.horizon, m.raise, m.naive.futureIsSafe = 2*window, true, true
	}},
}

// rerunAlways takes a lapsed record over, whatever it was for.
func rerunAlways(m *model) {
	m.claim = func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		r.Policy = store.Rerun
		return store.Claim(r, q, env)
	}
}

// saveBlindly writes the reply, whoever holds the record and whatever it is.
func saveBlindly(m *model) {
	m.advance = func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		if q.Op == store.OpComplete && r.State != store.Absent && r.Token != q.Token {
			r.State, r.Token, r.End = store.Started, q.Token, store.EndNone
		}
		return store.Advance(r, q, env)
	}
}

// TestMistakesAreFound holds that the search can see.
func TestMistakesAreFound(t *testing.T) {
	for _, wrong := range mistakes {
		t.Run(wrong.name, func(t *testing.T) {
			m := real(store.MarkUnknown)
			wrong.make(&m)
			finds(t, m, wrong.breaks)
		})
	}
}
