package store

import (
	"encoding/hex"
	"time"
)

// ID is the primary key of a record in every store: SHA-256 over the length-prefixed service, principal and key.
type ID [32]byte

// String returns the id in hexadecimal; an id is a hash, so it may be logged.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Token proves that a claim is still its owner's. It is 128 random bits, drawn once per claim and never reused.
type Token [16]byte

// Time is a moment on the store's clock in milliseconds since the Unix epoch; zero means "not set".
// Milliseconds are what a stamped key carries (RFC 9562 §5.7), and leases are coarser than that.
type Time int64

// TimeOf converts t, truncated to the millisecond. The zero time.Time becomes the zero Time.
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMilli())
}

// Add returns t plus d; d is rounded up to the millisecond, so that a positive duration never vanishes.
// A sum past the end of time stops there.
func (t Time) Add(d time.Duration) Time {
	ms := Time(d / time.Millisecond)
	if d > 0 && d%time.Millisecond != 0 {
		ms++
	}
	sum := t + ms
	if ms > 0 && sum < t {
		return Time(1<<63 - 1)
	}
	return sum
}

// Sub returns the duration from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t-u) * time.Millisecond }

// Std returns t as a time.Time in UTC; the zero Time becomes the zero time.Time.
func (t Time) Std() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(t)).UTC()
}

// Identity names an operation. Every call on a Store carries it whole, as a claim first wrote it or List returned it:
// a store may place records by any of its fields (a partition by Stamp, a shard by ID, a watermark by Service).
type Identity struct {
	ID        ID
	Service   string // constant of the guarded service; 1 to MaxName bytes
	Principal string // who calls: an identity, never a credential; 1 to MaxName bytes
	Key       string // the unique request ID; 1 to MaxKey bytes
	Stamp     Time   // when the key was minted, if the key says so; zero: unstamped
}

// Limits of the strings in an Identity and of what an operator writes, in bytes.
const (
	MaxName   = 1024
	MaxKey    = 255
	MaxReason = 4096
)

// State is the place of a record in its life.
type State uint8

// The states of a record. Unknown is not among them: it is derived, see [Record.Unknown].
const (
	Absent  State = iota // no record; never stored
	Claimed              // a token holds the record and has not passed start
	Started              // the token has passed start: it may have had its effect
	Done                 // has its reply; never changes again
)

// Policy says what the lapse of a started record's lease means.
// It stands in the record: changing a server's configuration never turns a held unknown into a second run.
type Policy uint8

// The policies.
const (
	MarkUnknown Policy = iota // hold the record as unknown until its late owner or somebody resolves it: at most once
	Rerun                     // the next call takes the record over and runs again: at least once
)

// End says how a Done record ended.
type End uint8

// The ends of a record.
const (
	EndNone         End = iota // not Done
	EndReply                   // the saved reply is the answer
	EndReplyNotKept            // executed; its reply was too large, or an operator had none: a tombstone
	EndNotExecuted             // an operator resolved that it did not happen
	EndCancelled               // cancelled before anything started
)

// Fingerprint is a hash of what makes two requests the same, with the version of the recipe that made it.
// Version 0 means that there is none: the key was cancelled before any request was seen.
type Fingerprint struct {
	Version uint8
	Sum     [32]byte
}

// Record is one row of the deduplication table. docs/decisions/0001 gives every field with its bytes.
type Record struct {
	Identity
	Fingerprint Fingerprint // of the first claim; kept by every takeover
	Hint        uint64      // hash of a JSON body that ignores the order of members; zero: none. Explains a mismatch, decides nothing
	State       State
	Token       Token  // of the owner; in Done, of whoever completed or decided
	Lease       Time   // open records: until when nobody may suspect the owner to be dead
	Policy      Policy // of the first claim; kept by every takeover
	Doubted     bool   // its start has been taken over: an earlier owner may have had its effect. Implies Started
	Claims      uint32 // how many tokens have held it
	FirstSeen   Time   // of the first claim
	Version     uint64 // FirstVersion of the owner's token, +1 with every change by it but a heartbeat
	End         End
	SafeNewKey  bool   // Done and not executed: no send under this key can have taken effect or will
	DoneAt      Time   // Done only
	PurgeAt     Time   // Done only, fixed then: max(stamp, done) + window + guard
	Reply       []byte // EndReply only; opaque to stores, which neither change nor keep the caller's slice
}

// Open reports whether somebody may still act on the record.
func (r Record) Open() bool { return r.State == Claimed || r.State == Started }

// Lapsed reports whether the lease of an open record is over at now. A lease is over at its very end.
func (r Record) Lapsed(now Time) bool { return r.Open() && now >= r.Lease }

// Unknown reports whether nobody can tell if the operation took effect: started, lapsed, and no reply.
func (r Record) Unknown(now Time) bool { return r.State == Started && now >= r.Lease }

// Purgeable reports whether the record may be removed at now, once its stamp is sealed. Open records never are.
func (r Record) Purgeable(now Time) bool { return r.State == Done && now >= r.PurgeAt }
