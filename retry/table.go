package retry

import (
	"errors"

	"github.com/onceward/onceward"
)

// Next is what the loop does after an attempt.
type Next uint8

// What the loop does.
const (
	Final Next = iota + 1 // stop
	Retry                 // send again, at the cost of an attempt and a token of the budget
	Poll                  // ask again, which costs neither; the horizon bounds it
)

// String names it.
func (n Next) String() string { return [...]string{"none", "final", "retry", "poll"}[n&3] }

// Pace is which of the policy's bases a wait starts from.
type Pace uint8

// The paces.
const (
	Transient Pace = iota // Policy.Base
	Overload              // Policy.OverloadBase
)

// String names the pace.
func (p Pace) String() string { return [...]string{"transient", "overload"}[p&1] }

// Proof is what an attempt proves of the operation.
type Proof uint8

// The proofs. One [Doubtful] attempt makes the fate Unknown, whatever the other attempts say, unless one is [Proven] or [Refuted].
const (
	Doubtful      Proof = iota // it may have taken effect
	Clear                      // this attempt took no effect; of others it says nothing
	ClearIfMinted              // the same if the key was minted for this operation; with the caller's own key Doubtful: it has been used, or is old
	Answered                   // carried out, as far as the reply tells; after a doubtful attempt nobody knows which of them it answers
	Proven                     // the operation has taken effect, through whatever attempt
	Refuted                    // no send under this key has taken effect or will
)

var proofNames = [...]string{
	Doubtful: "unknown", Clear: "this attempt not executed", ClearIfMinted: "this attempt not executed; unknown if the key is the caller's own",
	Answered: "executed; unknown after a doubtful attempt", Proven: "executed", Refuted: "not executed",
}

// String says the proof as the documentation does.
func (p Proof) String() string { return proofNames[int(p)%len(proofNames)] }

// Row says what one end means.
type Row struct {
	End      End
	Name     string
	Next     Next
	Pace     Pace  // of Retry
	Proof    Proof // of what the attempt did
	Believes bool  // a safe_new_key: true in the reply makes the proof Refuted
	Answer   bool  // its reply is the operation's answer: with the fate Executed it comes without an error
	Err      error // sentinel that the loop's error wraps; nil: none
	Meaning  string
}

// Sentinels of ends that are no problem of the server's.
var (
	ErrNotSent        = errors.New("retry: the request was not sent")
	ErrCutOff         = errors.New("retry: the connection failed, and the request may have arrived")
	ErrAttemptTimeout = errors.New("retry: the attempt took too long")
	ErrReplyCut       = errors.New("retry: the reply broke off")
	ErrReplyTooLarge  = errors.New("retry: the reply is larger than this client takes")
)

var table = [endCount + 1]Row{
	EndSaved:        {Name: "saved", Next: Final, Proof: Proven, Answer: true, Meaning: "the handler's reply, saved"},
	EndReplayed:     {Name: "replayed", Next: Final, Proof: Proven, Answer: true, Meaning: "a saved reply, replayed"},
	EndReplyNotKept: {Name: "reply-not-kept", Next: Final, Proof: Proven, Err: onceward.ErrReplyNotKept, Meaning: "executed; the reply is gone"},

	EndFreed:           {Name: "freed", Next: Final, Proof: Clear, Meaning: "freed with a status that another try would get again, such as 401"},
	EndFreedTransient:  {Name: "freed-transient", Next: Retry, Proof: Clear, Meaning: "freed with 408, 425 or a 5xx other than 503"},
	EndFreedOverload:   {Name: "freed-overload", Next: Retry, Pace: Overload, Proof: Clear, Meaning: "freed with 429 or 503"},
	EndDoubted:         {Name: "doubted", Next: Retry, Proof: Doubtful, Meaning: "the handler cannot tell; the record will"},
	EndDoubtedOverload: {Name: "doubted-overload", Next: Retry, Pace: Overload, Proof: Doubtful, Meaning: "the same with 429 or 503"},

	EndKeyMissing:       {Name: "key-missing", Next: Final, Proof: Clear, Err: onceward.ErrKeyMissing, Meaning: "something on the way took the key off"},
	EndKeyInvalid:       {Name: "key-invalid", Next: Final, Proof: Clear, Err: onceward.ErrKeyInvalid, Meaning: "such a key is never admitted"},
	EndKeyFromFuture:    {Name: "key-from-the-future", Next: Final, Proof: Clear, Err: onceward.ErrKeyFromFuture, Meaning: "the two clocks are too far apart"},
	EndHorizonTooLong:   {Name: "horizon-too-long", Next: Final, Proof: Clear, Err: onceward.ErrHorizonTooLong, Meaning: "the policy goes on longer than the server remembers"},
	EndScopeMissing:     {Name: "scope-missing", Next: Final, Proof: Clear, Err: onceward.ErrScopeEmpty, Meaning: "the server does not know who calls"},
	EndBodyTooLarge:     {Name: "body-too-large", Next: Final, Proof: Clear, Err: onceward.ErrBodyTooLarge, Meaning: "refused before any claim"},
	EndBodyUnreadable:   {Name: "body-unreadable", Next: Retry, Proof: Clear, Meaning: "the request broke off before any claim"},
	EndKeyReused:        {Name: "key-reused", Next: Final, Proof: Doubtful, Err: onceward.ErrKeyReused, Meaning: "the key belongs to another request; under a key minted here that can only be an altered copy of this one"},
	EndInProgress:       {Name: "in-progress", Next: Poll, Proof: Doubtful, Err: onceward.ErrInProgress, Meaning: "an earlier copy still runs"},
	EndOutcomeUnknown:   {Name: "outcome-unknown", Next: Final, Proof: Doubtful, Err: onceward.ErrOutcomeUnknown, Meaning: "started, and nobody can tell; until somebody resolves it"},
	EndNotExecuted:      {Name: "not-executed", Next: Final, Proof: Doubtful, Believes: true, Err: onceward.ErrNotExecuted, Meaning: "resolved as not executed, or cancelled"},
	EndKeyExpired:       {Name: "key-expired", Next: Final, Proof: ClearIfMinted, Believes: true, Err: onceward.ErrKeyExpired, Meaning: "older than the window, and the record is gone if there was one"},
	EndReplyNotSaved:    {Name: "reply-not-saved", Next: Retry, Pace: Overload, Proof: Doubtful, Err: onceward.ErrReplyNotSaved, Meaning: "the handler ended, the record does not know it yet"},
	EndStoreUnavailable: {Name: "store-unavailable", Next: Retry, Pace: Overload, Proof: Clear, Err: onceward.ErrStoreUnavailable, Meaning: "this send was not executed"},
	EndInternal:         {Name: "internal", Next: Final, Proof: Doubtful, Meaning: "a mistake in the server's code"},
	EndProblemUnknown:   {Name: "problem-unknown", Next: Final, Proof: Doubtful, Believes: true, Meaning: "a problem that this build does not know"},

	EndSuccess:      {Name: "success", Next: Final, Proof: Proven, Answer: true, Meaning: "2xx without a mark"},
	EndRedirect:     {Name: "redirect", Next: Final, Proof: Doubtful, Meaning: "3xx without a mark: it is not followed, and does not say that anything was carried out"},
	EndUnauthorized: {Name: "unauthorized", Next: Final, Proof: Clear, Meaning: "401 or 407 without a mark: by definition nothing was applied"},
	EndTooEarly:     {Name: "too-early", Next: Retry, Proof: Clear, Meaning: "425 without a mark: not processed (RFC 8470 §5.2)"},
	EndTooMany:      {Name: "too-many", Next: Retry, Pace: Overload, Proof: Clear, Meaning: "429 without a mark: not processed"},
	EndGateway:      {Name: "gateway", Next: Retry, Proof: Doubtful, Meaning: "408, 502 or 504 without a mark: what lies behind may be at work"},
	EndUnavailable:  {Name: "unavailable", Next: Retry, Pace: Overload, Proof: Doubtful, Meaning: "503 without a mark: it may be a timeout while the work goes on"},
	EndRefusal:      {Name: "refusal", Next: Final, Proof: Answered, Answer: true, Meaning: "another 4xx without a mark"},
	EndFailure:      {Name: "failure", Next: Final, Proof: Answered, Answer: true, Meaning: "another 5xx without a mark"},
	EndOddStatus:    {Name: "odd-status", Next: Final, Proof: Doubtful, Meaning: "a status outside 200 to 599"},

	EndNotSent:           {Name: "not-sent", Next: Retry, Proof: Clear, Err: ErrNotSent, Meaning: "proof that no connection was obtained: name, dial or TLS failed"},
	EndRefusedHere:       {Name: "refused-here", Next: Final, Proof: Clear, Err: ErrNotSent, Meaning: "the client's own hook failed"},
	EndCutOff:            {Name: "cut-off", Next: Retry, Proof: Doubtful, Err: ErrCutOff, Meaning: "the transport failed and the request may have arrived"},
	EndAttemptTimeout:    {Name: "attempt-timeout", Next: Retry, Proof: Doubtful, Err: ErrAttemptTimeout, Meaning: "no whole reply within the attempt's time"},
	EndCancelled:         {Name: "cancelled", Next: Final, Proof: Doubtful, Meaning: "the caller's context ended during the attempt"},
	EndReplyCut:          {Name: "reply-cut", Next: Retry, Proof: Doubtful, Err: ErrReplyCut, Meaning: "headers came, the body broke off"},
	EndReplyTooLarge:     {Name: "reply-too-large", Next: Final, Proof: Proven, Err: ErrReplyTooLarge, Meaning: "over the limit; marked saved or replayed, or a 2xx or 3xx of a server without this protocol"},
	EndReplyTooLargeOpen: {Name: "reply-too-large-open", Next: Final, Proof: Doubtful, Err: ErrReplyTooLarge, Meaning: "over the limit, otherwise"},
}

// Table returns every row, in the order of the ends.
func Table() []Row {
	rows := make([]Row, 0, endCount)
	for e := End(1); int(e) < len(table); e++ {
		rows = append(rows, rowOf(e))
	}
	return rows
}

// rowOf finds the row of an end; one that nobody knows is final and proves nothing.
func rowOf(e End) Row {
	if e == 0 || int(e) >= len(table) {
		return Row{End: e, Name: e.String(), Next: Final, Proof: Doubtful}
	}
	row := table[e]
	row.End = e
	return row
}

// proof is what an ending proves.
func (r Row) proof(e Ending, minted bool) Proof {
	switch {
	case r.Believes && e.SafeNewKey:
		return Refuted
	case r.Proof == ClearIfMinted && !minted:
		return Doubtful
	case r.Proof != ClearIfMinted && r.Proof != Clear && r.Proof != Answered:
		return r.Proof
	case e.Sends > 1:
		return Doubtful // the transport sent it again by itself: the reply is only that of the last copy
	case r.Proof == Answered:
		return Answered
	}
	return Clear
}
