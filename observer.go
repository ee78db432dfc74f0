package onceward

import (
	"context"
	"time"

	"github.com/onceward/onceward/store"
)

// Observer is told what happens; logs, metrics and traces are built on it. Any function may be nil. They are called
// synchronously and must be quick; keys in events print redacted.
type Observer struct {
	Call   func(context.Context, CallEvent)   // an [Executor.Do] has ended
	Alarm  func(context.Context, AlarmEvent)  // a person should look
	Upkeep func(context.Context, UpkeepEvent) // maintenance has run; if it has failed, there is an alarm too
}

// CallEvent reports one call.
type CallEvent struct {
	Service  string
	ID       store.ID
	Key      Key
	Standing Standing // of the reply; zero: there is none, see Err
	Replayed bool
	Doubted  bool          // the record's start had been taken over
	Waited   time.Duration // for another call of the same operation
	Ran      time.Duration // zero: the function was not run
	Err      error
}

// AlarmEvent reports something that should not happen.
type AlarmEvent struct {
	Alarm   Alarm
	Service string
	ID      store.ID
	Key     Key
	Err     error
}

// Alarm is the kind of an [AlarmEvent].
type Alarm string

// The alarms.
const (
	AlarmLeaseLost     Alarm = "lease lost"      // the owner could not extend in time; it goes on unless replaced
	AlarmReplaced      Alarm = "replaced"        // another owner has the record; the run is cancelled
	AlarmReplyNotSaved Alarm = "reply not saved" // saving goes on in the background
	AlarmUnsettled     Alarm = "unsettled"       // the process gives up settling: closed, or too many
	AlarmContradiction Alarm = "contradiction"   // resolved as not happened, then the late owner came with a reply
	AlarmNotStarted    Alarm = "not started"     // a success without Start on a route that requires it
	AlarmUpkeep        Alarm = "upkeep failed"
	AlarmClock         Alarm = "clock jump" // maintenance is refused until the process starts anew
	AlarmUnknown       Alarm = "unknown"    // there are records that somebody should resolve
)

// UpkeepEvent reports a run of maintenance.
type UpkeepEvent struct {
	Removed int
	Stats   store.Stats
	Took    time.Duration
}

func (o Observer) call(ctx context.Context, e CallEvent) {
	if o.Call != nil {
		o.Call(ctx, e)
	}
}

func (o Observer) alarm(ctx context.Context, e AlarmEvent) {
	if o.Alarm != nil {
		o.Alarm(ctx, e)
	}
}

func (o Observer) upkeep(ctx context.Context, e UpkeepEvent) {
	if o.Upkeep != nil {
		o.Upkeep(ctx, e)
	}
}
