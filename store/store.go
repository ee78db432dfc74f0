package store

import (
	"context"
	"errors"
	"time"
)

// Store is the deduplication table. It is what an author of a store implements; users hand one to a guard.
//
// Every method is safe for concurrent use. A method that returns an error other than [ErrFull], [ErrInvalid], [ErrClosed], [ErrClock] and [ErrUnsupported]
// leaves open whether it was carried out: the caller repeats it, which is harmless (clauses C2, A1, D1), or takes it back.
//
// The numbered clauses are the contract. Package storetest has one case per clause, under the clause's number.
//
//	X1  Each of Claim, Advance and Decide is one atomic compare-and-set: what it reads (record, watermark, mark)
//	    and what it writes (a [Step]) are one moment in the order of all calls on that record, and so is each
//	    record's step with a Seal or Purge of its service.
//	X2  The written step is exactly that of the pure functions [Claim], [Advance] and [Decide].
//	X3  An acknowledged write survives what [Traits].Survives says.
//	X4  Times are the store's: one clock for all who share the store, which never goes back while the store is open.
//	X5  After Close every method but Traits and Close returns ErrClosed.
type Store interface {
	Protocol
	Desk
	Upkeep
}

// Protocol is the part of a [Store] that every request uses.
type Protocol interface {
	// Claim takes the record to work on it, or tells why not. Fingerprint, takeover and admissibility are one step.
	//
	//	C1  Absent and admissible: Granted; the record is Claimed, or Started if the request says so.
	//	C2  Claiming again with a token that holds the record is Granted and changes nothing, lapsed or not:
	//	    a lost answer of the store locks nobody out.
	//	C3  The fingerprint is compared before anything else, in the record's version, in every state. On a difference
	//	    Mismatch, on a version that the request does not carry Incomparable; nothing changes.
	//	C4  Done: Replay, with the reply.
	//	C5  Open, another's and not lapsed: InFlight.
	//	C6  Claimed and lapsed: TakenOver, with the new token; fingerprint, policy, hint and first sight are the first's.
	//	    If its stamp is sealed: Expired. It may come from a backup, and have been started since.
	//	C7  Started, lapsed and the record's policy is MarkUnknown: Unknown, nothing changes, whatever policy the request has.
	//	C8  Started, lapsed and the record's policy is Rerun: TakenOver, Started and Doubted, whatever policy the request has.
	//	C9  Absent and stamped: a stamp at or below the watermark, or older than the window: Expired. Checked before C10 and C11.
	//	C10 Absent and stamped later than now + guard: FromFuture.
	//	C11 Absent and the client's horizon is longer than the window: HorizonTooLong.
	//	C12 Later than the request's ValidUntil nothing is created or taken over: Stale.
	//	C13 A token that was released creates nothing and takes nothing over while its mark lives: Dead.
	//	C14 At capacity nothing is created: ErrFull. No live record is ever evicted; C2 to C8 go on working.
	Claim(ctx context.Context, q ClaimRequest) (Answer, error)

	// Advance carries out one step of the token's owner.
	//
	//	A1  Every step may be repeated with the same token and finds itself carried out.
	//	A2  Start: Claimed to Started with a new lease; Started is Applied and changes nothing; only with the record's token.
	//	A3  Extend: open, mine, not lapsed: a new lease. Lapsed: refused as Lapsed, nothing changes.
	//	A4  Complete: open and mine, lapsed or not: Done, with reply and purge time fixed. Done by my token: Applied, unchanged.
	//	A5  Complete that finds "did not happen" is Lost and leaves a Contradiction in the trail, each time.
	//	A6  Yield: open and mine: its lease ends now; the record stays.
	//	A7  Release: open, mine and not doubted: absent. The caller vouches that nothing took effect.
	//	A8  Release of a doubted record is a Yield, and says Yielded.
	//	A9  Release, whatever it finds, also an absent record, leaves a mark against its token until ValidUntil.
	//	A10 With a token that is not the record's every step but A9's mark changes nothing and is Lost; so is every step
	//	    but Complete on a Done record.
	//	A11 At capacity Complete works for a reply within the claim's Reserve and for a tombstone; for a longer reply it may be ErrFull.
	Advance(ctx context.Context, q AdvanceRequest) (Answer, error)

	// Wait returns nil when the record may have changed since version, and ctx's error when ctx ends first.
	// It is a hint: the caller reads again.
	//
	//	W1  A record whose version is another already, or that is absent, returns at once.
	//	W2  A store that cannot notify waits for ctx's end; the caller bounds it and polls.
	Wait(ctx context.Context, who Identity, version uint64) error
}

// Desk is the part of a [Store] for people and tools: to look, and to settle what nobody else can.
type Desk interface {
	// Decide settles a record by decision instead of by its owner.
	//
	//	D1  A decision repeated with its own token is Applied and changes nothing.
	//	D2  Happened and DidNotHappen: only from Unknown and only at the given version; Done, with actor and reason in the trail.
	//	D3  Another version: Conflict. Not unknown: InFlight, Lapsed, Replay or Absence, as found. Nothing changes.
	//	D4  DidNotHappen never makes the record absent; SafeNewKey only if attested and the key is stamped.
	//	D5  Cancel: absent and admissible (C9, C10), or Claimed, lapsed and not sealed: Done(cancelled). Otherwise it tells what it found.
	//	    Only a cancel with an actor leaves an entry in the trail: strangers must not fill it.
	//	D6  ReleaseClaim: only Claimed and lapsed, at the given version: absent, with actor and reason in the trail.
	//	D7  At capacity a Cancel that would create a record is ErrFull.
	Decide(ctx context.Context, q DecideRequest) (Answer, error)

	// Get reads the record with its reply and changes nothing. Absent: the verdict is Absence, or Expired if the key can
	// no longer be admitted because of the watermark.
	//
	//	G1  It reads what the last acknowledged write wrote, never a replica's past.
	Get(ctx context.Context, who Identity) (Answer, error)

	// List pages through records by class, without visiting those of other classes, replies left out.
	//
	//	L1  Every record that is in the class during the whole listing, and whose lease does not change in it, is listed once; oldest first.
	//	L2  ClassDone on a store whose Traits do not say ListsDone: ErrUnsupported.
	List(ctx context.Context, q ListRequest) (Page, error)

	// Trail reads the append-only audit trail, oldest first.
	//
	//	T1  A decision and its entry are one atomic write.
	Trail(ctx context.Context, q TrailRequest) (TrailPage, error)
}

// Finder is what a [Store] may be besides: one that finds an operation by nothing but its id, which is what logs say of it. A store that cannot
// do so without visiting other operations' records leaves it out; a guard then finds by their id only what is open, unknown or in the trail.
type Finder interface {
	// Find returns the identity of the record with id; the zero Identity if there is none. It changes nothing.
	//
	//	F1  It finds every record that Get finds, and no other, and visits no others.
	Find(ctx context.Context, id ID) (Identity, error)
}

// Upkeep is the part of a [Store] for its maintenance.
type Upkeep interface {
	// Seal makes the stamped keys of service up to and including until inadmissible for ever, and returns the watermark in force.
	//
	//	S1  The watermark never goes back: sealing below it changes nothing.
	//	S2  Records are untouched: what is there is still found.
	Seal(ctx context.Context, service string, until Time) (Time, error)

	// Purge removes at most Limit records whose time is over, over all services. A store that removes many records as one, whatever their number, as a bucket
	// or a partition, may go beyond Limit by those: Limit keeps a call short, and they do not make it longer.
	//
	//	P1  Only Done records at or past their PurgeAt. Open records are never removed.
	//	P2  Before a stamped record is removed, its service's watermark is at or above its stamp: to the newest stamp removed, never to the clock.
	//	P3  If the store's clock differs from Expect by more than Tolerance: ErrClock, nothing is changed. Expect zero: not checked.
	//	P4  Marks are removed when their time is over, not before.
	Purge(ctx context.Context, q PurgeRequest) (PurgeResult, error)

	// Stats counts, for one service or, with "", for all.
	Stats(ctx context.Context, service string) (Stats, error)

	// Traits says what this store, as configured, can promise. It does not change while the store is open.
	Traits() Traits

	// Close ends the store's own work and frees what it holds. A second Close is harmless.
	Close() error
}

// Errors of a Store. Any other error means that it is open whether the call was carried out.
var (
	ErrFull        = errors.New("store: full") // not carried out: no room for a new record
	ErrClosed      = errors.New("store: closed")
	ErrClock       = errors.New("store: the clock has jumped") // maintenance refused
	ErrUnsupported = errors.New("store: not supported by this store")
)

// Answer is what a call on a store found or did.
type Answer struct {
	Verdict   Verdict
	Record    Record // after the step; State Absent when there is none. Its Reply is not the caller's slice
	Now       Time   // the store's clock at the step
	Watermark Time   // of the service at the step
}

// ClaimRequest is the argument of Claim.
type ClaimRequest struct {
	Identity
	Token        Token
	Fingerprints []Fingerprint // of this request in every version that the caller knows, newest first; the first is stored
	Hint         uint64        // see Record.Hint
	Policy       Policy
	Start        bool          // claim straight into Started: one flight instead of two
	Lease        time.Duration // > 0
	Window       time.Duration // for admissibility
	Guard        time.Duration // allowance for clock skew between servers
	Horizon      time.Duration // what the client said of its own retrying; zero: nothing
	ValidUntil   Time          // store time after which this request must not take effect; zero: no bound
	Reserve      int           // bytes of reply for which room is reserved
}

// Op is a step of a token's owner.
type Op uint8

// The steps of Advance.
const (
	OpStart Op = iota + 1
	OpExtend
	OpComplete
	OpYield
	OpRelease
)

// AdvanceRequest is the argument of Advance.
type AdvanceRequest struct {
	Identity
	Token      Token
	Op         Op
	Lease      time.Duration // OpStart, OpExtend; > 0
	End        End           // OpComplete: EndReply or EndReplyNotKept
	Reply      []byte        // OpComplete with EndReply; the caller may change it once the call has been answered
	Window     time.Duration // OpComplete
	Guard      time.Duration // OpComplete
	ValidUntil Time          // OpRelease: ValidUntil of the claim that it takes back; zero leaves no mark
}

// Decision is what Decide decides.
type Decision uint8

// The decisions.
const (
	Happened     Decision = iota + 1 // an operator knows that it took effect
	DidNotHappen                     // an operator knows that it did not
	Cancel                           // cancel-or-tell: whoever holds the key wants it not to run any more
	ReleaseClaim                     // an operator frees a claim whose owner is gone
)

// DecideRequest is the argument of Decide.
type DecideRequest struct {
	Identity
	Token    Token // of this decision; drawn like a claim's
	Decision Decision
	Version  uint64 // Happened, DidNotHappen, ReleaseClaim: the version that was looked at
	Attested bool   // DidNotHappen: the actor attests that no earlier owner can act any more
	Reply    []byte // Happened: what callers shall get; nil: a tombstone
	Actor    string // who; required but for Cancel; at most MaxName bytes
	Reason   string // why; required but for Cancel; at most MaxReason bytes
	Window   time.Duration
	Guard    time.Duration
}

// Class groups records as a person looks for them.
type Class uint8

// The classes, problems first.
const (
	ClassUnknown Class = iota + 1 // Started and lapsed, by the end of the lease
	ClassOpen                     // Claimed or Started and not unknown, by the end of the lease
	ClassDone                     // by purge time
)

// ListRequest is the argument of List.
type ListRequest struct {
	Service   string // "": all
	Principal string // "": all
	Class     Class
	Before    Time   // only records first seen before; zero: all
	Cursor    string // from the last Page; "" starts
	Limit     int    // 1 to MaxPage
}

// MaxPage is the longest page of List and Trail, in entries.
const MaxPage = 1000

// Page is a part of a listing.
type Page struct {
	Records []Record // without Reply
	Next    string   // "": that was all
	Now     Time
}

// Entry is a line of the audit trail.
type Entry struct {
	At      Time
	Who     Identity
	Action  Action
	Version uint64 // of the record after the action; zero: absent
	Actor   string
	Reason  string
}

// Action is what an Entry reports.
type Action uint8

// The actions.
const (
	ActionHappened Action = iota + 1
	ActionDidNotHappen
	ActionCancelled
	ActionReleased
	ActionContradiction // a late owner completed what had been resolved as not happened
)

// TrailRequest is the argument of Trail.
type TrailRequest struct {
	ID     ID // zero: all
	Cursor string
	Limit  int // 1 to MaxPage
}

// TrailPage is a part of the trail.
type TrailPage struct {
	Entries []Entry
	Next    string // "": that was all, so far
}

// PurgeRequest is the argument of Purge.
type PurgeRequest struct {
	Limit     int           // > 0: how many records at most, of those that are removed one by one
	Expect    Time          // what the caller believes that the store's clock shows; zero: not checked
	Tolerance time.Duration // for Expect
}

// PurgeResult is what a Purge did.
type PurgeResult struct {
	Removed int
	More    bool // the limit ended it
	Now     Time
}

// Stats counts records.
type Stats struct {
	Claimed, Started, Unknown, Done int64 // Started without the Unknown
	OldestUnknown                   Time  // end of its lease; zero: none
	Bytes                           int64 // as the store counts them
	MaxRecords, MaxBytes            int64 // zero: no bound of its own
	Watermark                       Time  // of the service; of "" zero
	Now                             Time
}

// Survival is what an acknowledged write survives.
type Survival uint8

// The survivals, each including the ones before it.
const (
	SurvivesNothing Survival = iota // gone with the process
	SurvivesCrash                   // of the process
	SurvivesPowerLoss
)

// Traits says what a store can promise.
type Traits struct {
	Name          string // "memory", "postgres" …
	Survives      Survival
	Shared        bool          // several processes may share it
	LossyFailover bool          // an acknowledged write may be lost in a failover
	RerunOnly     bool          // claims under MarkUnknown are refused with ErrUnsupported, for a failover could break their promise
	Notifies      bool          // Wait is woken, also across processes if Shared
	ListsDone     bool          // List has ClassDone
	MaxReply      int           // bytes; zero: no bound of its own
	MaxKept       time.Duration // the longest window and guard, together, of stamped keys; zero: no bound of its own
	Caveats       []string      // sentences: what weakens the promise in this configuration
}
