package store

// Read is what [Desk.Get] answers.
func Read(r Record, who Identity, env Env) Answer {
	v := look(r, env)
	if v == Absence && env.sealed(who.Stamp) {
		v = Expired
	}
	return found(v, r, env).Answer
}

// ClassOf is the class in which [Desk.List] shows the record; zero for an absent one.
func ClassOf(r Record, now Time) Class {
	switch {
	case r.State == Absent:
		return 0
	case r.State == Done:
		return ClassDone
	case r.Unknown(now):
		return ClassUnknown
	}
	return ClassOpen
}

// look tells what is there.
func look(r Record, env Env) Verdict {
	switch {
	case r.State == Absent:
		return Absence
	case r.State == Done:
		return Replay
	case r.Unknown(env.Now):
		return Unknown
	case r.Lapsed(env.Now):
		return Lapsed
	}
	return InFlight
}
