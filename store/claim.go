package store

// Claim is the transition of [Protocol.Claim]: C1 to C13. Capacity (C14) is the store's own.
func Claim(r Record, q ClaimRequest, env Env) Step {
	if r.State == Absent {
		if v := mayAct(q, env); v != Granted {
			return found(v, r, env)
		}
		return create(q, env)
	}
	if v := compare(r.Fingerprint, q.Fingerprints); v != Granted { // before anything else: a stranger's request learns nothing more
		return found(v, r, env)
	}
	switch {
	case r.State == Done:
		return found(Replay, r, env)
	case r.Token == q.Token:
		return found(Granted, r, env)
	case !r.Lapsed(env.Now):
		return found(InFlight, r, env)
	case r.State == Started && r.Policy == MarkUnknown: // the record's policy, never the request's
		return found(Unknown, r, env)
	}
	if v := mayAct(q, env); v != Granted {
		return found(v, r, env)
	}
	if r.State == Claimed && env.sealed(r.Stamp) { // restored from a backup, perhaps, and started since
		return found(Expired, r, env)
	}
	return takeOver(r, q, env)
}

// mayAct says whether a claim may still change something: a copy of it that comes late must not.
func mayAct(q ClaimRequest, env Env) Verdict {
	switch {
	case env.Dead:
		return Dead
	case q.ValidUntil != 0 && env.Now > q.ValidUntil:
		return Stale
	}
	return Granted
}

// compare looks for the record's fingerprint among the request's.
func compare(have Fingerprint, sent []Fingerprint) Verdict {
	if have.Version == 0 {
		return Granted
	}
	for _, f := range sent {
		if f.Version == have.Version {
			if f.Sum != have.Sum {
				return Mismatch
			}
			return Granted
		}
	}
	return Incomparable
}

func create(q ClaimRequest, env Env) Step {
	keep := keeping{window: q.Window, guard: q.Guard}
	if v := keep.admit(q.Stamp, env); v != Granted {
		return found(v, Record{}, env)
	}
	if q.Horizon > q.Window {
		return found(HorizonTooLong, Record{}, env)
	}
	r := Record{
		Identity:  q.Identity,
		Hint:      q.Hint,
		State:     Claimed,
		Token:     q.Token,
		Lease:     env.Now.Add(q.Lease),
		Policy:    q.Policy,
		Claims:    1,
		FirstSeen: env.Now,
		Version:   FirstVersion(q.Token),
	}
	if len(q.Fingerprints) > 0 {
		r.Fingerprint = q.Fingerprints[0]
	}
	if q.Start {
		r.State = Started
	}
	return put(Granted, r, env)
}

// takeOver gives a lapsed record to the request's token. What was Started stays Started and becomes doubted; a record
// that was only Claimed cannot have had an effect, because the old token's start now fails.
func takeOver(r Record, q ClaimRequest, env Env) Step {
	switch {
	case r.State == Started:
		r.Doubted = true
	case q.Start:
		r.State = Started
	}
	r.Token, r.Lease = q.Token, env.Now.Add(q.Lease)
	r.Claims++
	r.Version = FirstVersion(q.Token)
	return put(TakenOver, r, env)
}
