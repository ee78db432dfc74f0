package store

// Advance is the transition of [Protocol.Advance]: A1 to A10. Capacity (A11) is the store's own.
func Advance(r Record, q AdvanceRequest, env Env) Step {
	mine := r.State != Absent && r.Token == q.Token
	switch q.Op {
	case OpRelease:
		return release(r, q, env)
	case OpComplete:
		return complete(r, q, env)
	}
	if !mine || !r.Open() {
		return found(Lost, r, env)
	}
	switch q.Op {
	case OpStart:
		return start(r, q, env)
	case OpExtend:
		return extend(r, q, env)
	case OpYield:
		return yield(Applied, r, env)
	}
	return found(Lost, r, env)
}

// start passes the point after which an effect may have happened. The lapse of the lease alone does not forbid it:
// while the token stands in the record nobody else has acted.
func start(r Record, q AdvanceRequest, env Env) Step {
	if r.State == Started {
		return found(Applied, r, env)
	}
	r.State, r.Lease = Started, env.Now.Add(q.Lease)
	r.Version++
	return put(Applied, r, env)
}

// extend is the heartbeat. A lapsed lease stays lapsed: what has been seen as unknown does not become in flight again.
func extend(r Record, q AdvanceRequest, env Env) Step {
	if r.Lapsed(env.Now) {
		return found(Lapsed, r, env)
	}
	r.Lease = env.Now.Add(q.Lease)
	return put(Applied, r, env)
}

func complete(r Record, q AdvanceRequest, env Env) Step {
	mine := r.State != Absent && r.Token == q.Token
	switch {
	case mine && r.Open():
		done := finish(r, q.Token, q.End, q.Reply, keeping{q.Window, q.Guard}, env.Now)
		return put(Applied, done, env)
	case mine && (r.End == EndReply || r.End == EndReplyNotKept):
		return found(Applied, r, env)
	}
	s := found(Lost, r, env)
	if r.State == Done && r.End == EndNotExecuted {
		s.Entry = &Entry{At: env.Now, Who: r.Identity, Action: ActionContradiction, Version: r.Version}
	}
	return s
}

// yield ends the lease now: nobody needs to wait for an owner that has given up without proof.
func yield(v Verdict, r Record, env Env) Step {
	if r.Lapsed(env.Now) {
		return found(v, r, env)
	}
	r.Lease = env.Now
	r.Version++
	return put(v, r, env)
}

// release gives the claim back. Whatever it finds, its token is dead from here on: a copy of the claim that is still under way,
// or the claim itself if it was overtaken, must not come back to life.
func release(r Record, q AdvanceRequest, env Env) Step {
	var s Step
	switch {
	case r.State == Absent:
		s = found(Applied, r, env)
	case !r.Open() || r.Token != q.Token:
		s = found(Lost, r, env)
	case r.Doubted:
		s = yield(Yielded, r, env)
	default:
		s = remove(Applied, env)
	}
	if q.ValidUntil >= env.Now {
		s.Mark = q.ValidUntil
	}
	return s
}
