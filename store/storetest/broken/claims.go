package broken

import (
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/storetest"
)

var claims = []Store{
	{Name: "a claim reads and writes in two steps", Clause: "X1", Break: func(r *storetest.Rules) { r.ClaimGap = race(100 * time.Microsecond) }},
	{Name: "hint is not kept", Clause: "X2", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		q.Hint = 0
		return store.Claim(r, q, env)
	})},
	{Name: "no claim is a start", Clause: "C1", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		q.Start = false
		return store.Claim(r, q, env)
	})},
	{Name: "every life counts from one", Clause: "D3", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		s := store.Claim(r, q, env)
		if s.Write == store.Put && r.State == store.Absent {
			s.Answer.Record.Version = 1
		}
		return s
	})},
	{Name: "own token is in flight to itself", Clause: "C2", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		if r.Open() && r.Token == q.Token {
			q.Token[0]++
		}
		return store.Claim(r, q, env)
	})},
	{Name: "fingerprint is compared after in-flight", Clause: "C3", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		if r.Open() && !r.Lapsed(env.Now) {
			q.Fingerprints = []store.Fingerprint{r.Fingerprint}
		}
		return store.Claim(r, q, env)
	})},
	{Name: "done is replayed without its reply", Clause: "C4", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		r.Reply = nil
		return store.Claim(r, q, env)
	})},
	{Name: "lease lapses early", Clause: "C5", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		if r.State == store.Claimed {
			r.Lease = r.Lease.Add(-2 * time.Hour)
		}
		return store.Claim(r, q, env)
	})},
	{Name: "takeover uses the old token again", Clause: "C6", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		s := store.Claim(r, q, env)
		if s.Answer.Verdict == store.TakenOver {
			s.Answer.Record.Token = r.Token
		}
		return s
	})},
	{Name: "takeover forgets the first sight", Clause: "C6", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		s := store.Claim(r, q, env)
		if s.Answer.Verdict == store.TakenOver {
			s.Answer.Record.FirstSeen = env.Now
		}
		return s
	})},
	{Name: "takeover after a seal", Clause: "C6", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		if r.State == store.Claimed {
			env.Watermark = 0
		}
		return store.Claim(r, q, env)
	})},
	{Name: "policy comes from the request, unknown re-runs", Clause: "C7", Break: claim(fromRequest(store.Rerun))},
	{Name: "policy comes from the request, rerun is held", Clause: "C8", Break: claim(fromRequest(store.MarkUnknown))},
	{Name: "takeover does not doubt", Clause: "C8", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		s := store.Claim(r, q, env)
		if s.Answer.Verdict == store.TakenOver {
			s.Answer.Record.Doubted = false
		}
		return s
	})},
	{Name: "watermark is not looked at", Clause: "C9", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		env.Watermark = 0
		return store.Claim(r, q, env)
	})},
	{Name: "future keys are admitted", Clause: "C10", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		q.Guard += 1000 * time.Hour
		return store.Claim(r, q, env)
	})},
	{Name: "horizon is not looked at", Clause: "C11", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		q.Horizon = 0
		return store.Claim(r, q, env)
	})},
	{Name: "late copy claims", Clause: "C12", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		q.ValidUntil = 0
		return store.Claim(r, q, env)
	})},
	{Name: "released claim comes back", Clause: "C13", Break: claim(func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		env.Dead = false
		return store.Claim(r, q, env)
	})},
	{Name: "full store evicts", Clause: "C14", Break: func(r *storetest.Rules) { r.Evict = true }},
}

// fromRequest lets a request of the given policy overrule the record's.
func fromRequest(p store.Policy) func(store.Record, store.ClaimRequest, store.Env) store.Step {
	return func(r store.Record, q store.ClaimRequest, env store.Env) store.Step {
		if r.Open() && q.Policy == p {
			r.Policy = p
		}
		return store.Claim(r, q, env)
	}
}
