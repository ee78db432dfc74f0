package store

// Decide is the transition of [Desk.Decide]: D1 to D6. Capacity (D7) is the store's own.
func Decide(r Record, q DecideRequest, env Env) Step {
	if r.State == Done && r.Token == q.Token {
		return found(Applied, r, env)
	}
	switch q.Decision {
	case Cancel:
		return cancel(r, q, env)
	case ReleaseClaim:
		return releaseClaim(r, q, env)
	}
	return resolve(r, q, env)
}

// resolve settles an unknown record. It never makes it absent: the old owner may only be stalled, and an absent record
// would let a copy run beside it.
func resolve(r Record, q DecideRequest, env Env) Step {
	switch {
	case !r.Unknown(env.Now):
		return found(look(r, env), r, env)
	case r.Version != q.Version:
		return found(Conflict, r, env)
	}
	end, action := EndNotExecuted, ActionDidNotHappen
	if q.Decision == Happened {
		end, action = EndReply, ActionHappened
		if q.Reply == nil {
			end = EndReplyNotKept
		}
	}
	var reply []byte
	if end == EndReply {
		reply = q.Reply
	}
	done := finish(r, q.Token, end, reply, keeping{q.Window, q.Guard}, env.Now)
	// An unstamped key may be admitted again once its window is over, so nothing can be promised of it for ever.
	done.SafeNewKey = end == EndNotExecuted && q.Attested && r.Stamp != 0
	return decided(put(Applied, done, env), q, action)
}

// cancel makes sure that the operation will not run, or tells what is in the way.
func cancel(r Record, q DecideRequest, env Env) Step {
	keep := keeping{q.Window, q.Guard}
	switch {
	case r.State == Absent:
		if v := keep.admit(q.Stamp, env); v != Granted {
			return found(v, r, env)
		}
		r = Record{Identity: q.Identity, FirstSeen: env.Now, Version: FirstVersion(q.Token) - 1}
	case r.State == Claimed && r.Lapsed(env.Now) && env.sealed(r.Stamp): // as in a takeover
		return found(Expired, r, env)
	case r.State == Claimed && r.Lapsed(env.Now): // its token's start will fail
	default:
		return found(look(r, env), r, env)
	}
	done := finish(r, q.Token, EndCancelled, nil, keep, env.Now)
	done.SafeNewKey = done.Stamp != 0
	return decided(put(Applied, done, env), q, ActionCancelled)
}

func releaseClaim(r Record, q DecideRequest, env Env) Step {
	switch {
	case r.State != Claimed || !r.Lapsed(env.Now):
		return found(look(r, env), r, env)
	case r.Version != q.Version:
		return found(Conflict, r, env)
	}
	s := remove(Applied, env)
	s.Entry = entry(r.Identity, q, ActionReleased, 0, env.Now)
	return s
}

func decided(s Step, q DecideRequest, action Action) Step {
	if q.Actor == "" { // a client's own cancel: its record tells it, and strangers do not fill the trail
		return s
	}
	r := s.Answer.Record
	s.Entry = entry(r.Identity, q, action, r.Version, s.Answer.Now)
	return s
}

func entry(who Identity, q DecideRequest, action Action, version uint64, at Time) *Entry {
	return &Entry{At: at, Who: who, Action: action, Version: version, Actor: q.Actor, Reason: q.Reason}
}
