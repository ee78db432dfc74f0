package pgstore

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/onceward/onceward/store"
)

// row is where a statement's answer is scanned to: [recordColumns] and a reply, all NULL where there is no record.
type row struct {
	firstSeen, version, hint, stamp, lease, doneAt, purgeAt zeronull.Int8
	claims                                                  zeronull.Int4
	state, policy, ended, printVersion                      zeronull.Int2
	doubted, safeNewKey                                     bool
	id, token, print, service, principal, key, reply        []byte
}

func (r *row) targets() []any {
	return []any{
		&r.firstSeen, &r.version, &r.hint, &r.stamp, &r.lease, &r.doneAt, &r.purgeAt, &r.claims, &r.state, &r.policy, &r.ended,
		&r.printVersion, &r.doubted, &r.safeNewKey, &r.id, &r.token, &r.print, &r.service, &r.principal, &r.key, &r.reply,
	}
}

// record is what the row says. Its lengths and ranges are those of the statements that made it.
func (r *row) record() (out store.Record) {
	if r.state == 0 {
		return out
	}
	copy(out.ID[:], r.id)
	copy(out.Token[:], r.token)
	copy(out.Fingerprint.Sum[:], r.print)
	out.Fingerprint.Version = uint8(r.printVersion)
	out.Service, out.Principal, out.Key = string(r.service), string(r.principal), string(r.key)
	out.Stamp, out.FirstSeen, out.Lease = store.Time(r.stamp), store.Time(r.firstSeen), store.Time(r.lease)
	out.DoneAt, out.PurgeAt = store.Time(r.doneAt), store.Time(r.purgeAt)
	out.Hint, out.Version, out.Claims = uint64(r.hint), uint64(r.version), uint32(r.claims)
	out.State, out.Policy, out.End = store.State(r.state), store.Policy(r.policy), store.End(r.ended)
	out.Doubted, out.SafeNewKey, out.Reply = r.doubted, r.safeNewKey, r.reply
	return out
}

// found is a row with what a transition reads beside it.
type found struct {
	row
	now, watermark, until int64
	standby               bool
	waited                bool // for the lock: a snapshot, where there is one, is older than the end of the wait
	committed             bool // the transaction of [entry].after
}

func (f *found) targets() []any {
	return append([]any{&f.now, &f.standby, &f.watermark, &f.until}, f.row.targets()...)
}

// entered are the targets of [transactSQL].enter.
func (f *found) entered(from *origin) []any {
	return append([]any{&f.waited, &from.number, &from.began, &from.server, &f.committed}, f.targets()...)
}

func (f *found) env() store.Env {
	return store.Env{Now: store.Time(f.now), Watermark: store.Time(f.watermark), Dead: f.until >= f.now}
}

// primary refuses what a standby has read: its past is not the table's present.
func (f *found) primary() error {
	if f.standby {
		return fmt.Errorf("%w: the server has become a standby", ErrReadOnly)
	}
	return nil
}

// The other way: NULL for what is not set.

func orNull(t store.Time) zeronull.Int8 { return zeronull.Int8(t) }

func printOrNull(f store.Fingerprint) (version zeronull.Int2, sum []byte) {
	if f.Version == 0 {
		return 0, nil
	}
	return zeronull.Int2(f.Version), f.Sum[:]
}

// replyOf is never NULL where the end is a reply, also an empty one.
func replyOf(end store.End, reply []byte) []byte {
	if end != store.EndReply {
		return nil
	}
	if reply == nil {
		return []byte{}
	}
	return reply
}
