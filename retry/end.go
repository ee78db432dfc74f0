package retry

import (
	"fmt"
	"time"
)

// End is a way in which an attempt can end.
type End uint8

// Every way in which an attempt can end. [Table] says what each means.
const (
	// The record answered.
	EndSaved        End = iota + 1 // the handler's reply, marked as saved
	EndReplayed                    // a saved reply, replayed
	EndReplyNotKept                // problem reply-not-kept

	// The handler answered, and nothing was saved.
	EndFreed           // freed, and another try would get the same
	EndFreedTransient  // freed: 408, 425, 5xx
	EndFreedOverload   // freed: 429, 503
	EndDoubted         // doubted
	EndDoubtedOverload // doubted: 429, 503

	// A problem: this call ran nothing, or nobody can tell.
	EndKeyMissing
	EndKeyInvalid
	EndKeyFromFuture
	EndHorizonTooLong
	EndScopeMissing
	EndBodyTooLarge
	EndBodyUnreadable
	EndKeyReused
	EndInProgress
	EndOutcomeUnknown
	EndNotExecuted
	EndKeyExpired
	EndReplyNotSaved
	EndStoreUnavailable
	EndInternal
	EndProblemUnknown // a problem that this build does not know

	// A status without a mark of ours: another kind of server, or something in front of it.
	EndSuccess      // 2xx
	EndRedirect     // 3xx
	EndUnauthorized // 401, 407
	EndTooEarly     // 425
	EndTooMany      // 429
	EndGateway      // 408, 502, 504
	EndUnavailable  // 503
	EndRefusal      // other 4xx
	EndFailure      // other 5xx
	EndOddStatus    // none of them

	// No reply, or not all of it.
	EndNotSent           // proof that nothing left this side
	EndRefusedHere       // this side did not want to send it: a hook failed
	EndCutOff            // the transport failed, and the request may have arrived
	EndAttemptTimeout    // the attempt's own time was over
	EndCancelled         // the caller's context ended it
	EndReplyCut          // the reply broke off after its headers
	EndReplyTooLarge     // the reply is over the limit; its headers say that it was executed
	EndReplyTooLargeOpen // the reply is over the limit; its headers do not say what happened

	endCount = iota
)

// String names the end, as metrics do.
func (e End) String() string {
	if int(e) < len(table) && table[e].Name != "" {
		return table[e].Name
	}
	return fmt.Sprintf("end(%d)", uint8(e))
}

// Ending is what a transport says of an attempt that has ended.
type Ending struct {
	End        End
	Replied    bool          // a whole reply came with it: the loop keeps it
	SafeNewKey bool          // the problem says so
	RetryAfter time.Duration // > 0: not sooner
	Window     time.Duration // > 0: the server's window
	Sends      int           // how often the request left this side, as far as the transport tells
	Err        error         // what happened, without keys and reply bodies; may be nil if there is a reply
}
