package store

import "time"

// keeping is how long a service remembers.
type keeping struct{ window, guard time.Duration }

// admit says whether an absent key may begin a life. An absent stamped key below the watermark may have had one that was
// purged, so it is refused for ever, whatever became of the window or the clock since. An unstamped key is always admitted: that
// is the weaker promise of unstamped keys.
func (k keeping) admit(stamp Time, env Env) Verdict {
	switch {
	case stamp == 0:
		return Granted
	case env.sealed(stamp), stamp < env.Now.Add(-k.window):
		return Expired
	case stamp > env.Now.Add(k.guard):
		return FromFuture
	}
	return Granted
}
