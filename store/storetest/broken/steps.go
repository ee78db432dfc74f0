package broken

import (
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

var steps = []Store{
	{Name: "compare-and-set of an owner and a decision is lost", Clause: "X1", Break: func(r *storetest.Rules) { r.StepGap = race(100 * time.Microsecond) }},
	{Name: "repeated release is lost", Clause: "A1", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		s := store.Advance(r, q, env)
		if q.Op == store.OpRelease && r.State == store.Absent {
			s.Answer.Verdict = store.Lost
		}
		return s
	})},
	{Name: "start of a lapsed claim fails", Clause: "A2", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		if q.Op == store.OpStart && r.Lapsed(env.Now) {
			q.Token[0]++
		}
		return store.Advance(r, q, env)
	})},
	{Name: "heartbeat revives a lapsed lease", Clause: "A3", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		if q.Op == store.OpExtend && r.Lapsed(env.Now) {
			r.Lease = env.Now + 1
		}
		return store.Advance(r, q, env)
	})},
	{Name: "second complete overwrites the reply", Clause: "A4", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		if q.Op == store.OpComplete && r.Token == q.Token && r.State == store.Done {
			r.State = store.Started
		}
		return store.Advance(r, q, env)
	})},
	{Name: "contradiction leaves no trace", Clause: "A5", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		s := store.Advance(r, q, env)
		s.Entry = nil
		return s
	})},
	{Name: "yield frees the key", Clause: "A6", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		s := store.Advance(r, q, env)
		if q.Op == store.OpYield && s.Write == store.Put {
			s.Write, s.Answer.Record = store.Remove, store.Record{}
		}
		return s
	})},
	{Name: "release leaves the record to lapse", Clause: "A7", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		s := store.Advance(r, q, env)
		if s.Write == store.Remove {
			s.Write = store.Put
			s.Answer.Record = r
			s.Answer.Record.Lease = env.Now
			s.Answer.Record.Version++
		}
		return s
	})},
	{Name: "doubted record is released", Clause: "A8", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		r.Doubted = r.Doubted && q.Op != store.OpRelease
		return store.Advance(r, q, env)
	})},
	{Name: "release of an absent record leaves no mark", Clause: "A9", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		s := store.Advance(r, q, env)
		if r.State == store.Absent {
			s.Mark = 0
		}
		return s
	})},
	{Name: "complete is a blind save", Clause: "A10", Break: advance(func(r store.Record, q store.AdvanceRequest, env store.Env) store.Step {
		if q.Op == store.OpComplete && r.Open() {
			r.Token = q.Token
		}
		return store.Advance(r, q, env)
	})},
	{Name: "repeated decision decides again", Clause: "D1", Break: decide(func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
		s := store.Decide(r, q, env)
		if r.State == store.Done && r.Token == q.Token {
			s.Answer.Verdict = store.Replay
		}
		return s
	})},
	{Name: "trail does not say why", Clause: "D2", Break: decide(func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
		s := store.Decide(r, q, env)
		if s.Entry != nil {
			s.Entry.Reason = ""
		}
		return s
	})},
	{Name: "version of a decision is not looked at", Clause: "D3", Break: decide(func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
		q.Version = r.Version
		return store.Decide(r, q, env)
	})},
	{Name: "did not happen frees the key", Clause: "D4", Break: decide(func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
		s := store.Decide(r, q, env)
		if q.Decision == store.DidNotHappen && s.Write == store.Put {
			s.Write, s.Answer.Record = store.Remove, store.Record{}
		}
		return s
	})},
	{Name: "strangers fill the trail", Clause: "D5", Break: decide(func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
		if q.Actor == "" {
			q.Actor = "anonymous"
		}
		return store.Decide(r, q, env)
	})},
	{Name: "an operator releases what has started", Clause: "D6", Break: decide(func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
		if q.Decision == store.ReleaseClaim && r.State == store.Started {
			r.State = store.Claimed
		}
		return store.Decide(r, q, env)
	})},
	{Name: "decision without its entry", Clause: "T1", Break: decide(func(r store.Record, q store.DecideRequest, env store.Env) store.Step {
		s := store.Decide(r, q, env)
		s.Entry = nil
		return s
	})},
	{Name: "nobody is woken", Clause: "W2", Break: func(r *storetest.Rules) { r.Deaf = true }},
}
