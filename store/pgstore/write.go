package pgstore

import (
	"github.com/jackc/pgx/v5"

	"github.com/onceward/onceward/store"
)

// write queues all that a step writes.
func (s *Store) write(b *pgx.Batch, who store.Identity, t store.Token, have store.Record, step store.Step) {
	r := step.Answer.Record
	switch {
	case step.Write == store.Remove:
		b.Queue(s.sql.remove, s.sql.removeArgs(have)...)
	case step.Write == store.Put && have.State == store.Absent:
		b.Queue(s.sql.insert, insertArgs(r)...)
	case step.Write == store.Put:
		b.Queue(s.sql.update, s.sql.at([]any{who.ID[:], have.Token[:], int64(have.Version),
			r.Token[:], int16(r.State), orNull(r.Lease), int64(r.Version), int32(r.Claims), int16(r.End),
			r.Doubted, r.SafeNewKey, orNull(r.DoneAt), orNull(r.PurgeAt), replyOf(r.End, r.Reply)}, who)...)
	}
	if step.Mark != 0 {
		b.Queue(s.sql.mark, who.ID[:], t[:], int64(step.Mark))
	}
	if e := step.Entry; e != nil {
		b.Queue(lockOne, lockTrail, 0)
		b.Queue(s.sql.entry, int64(e.At), int64(e.Version), orNull(e.Who.Stamp), int16(e.Action),
			e.Who.ID[:], []byte(e.Who.Service), []byte(e.Who.Principal), []byte(e.Who.Key), []byte(e.Actor), []byte(e.Reason))
	}
}

// insertArgs are the parameters of [statements].insert.
func insertArgs(r store.Record) []any {
	version, sum := printOrNull(r.Fingerprint)
	return []any{
		r.ID[:], []byte(r.Service), r.Token[:], []byte(r.Principal), []byte(r.Key), orNull(r.Stamp), orNull(store.Time(r.Hint)), version, sum,
		int16(r.Policy), int16(r.State), orNull(r.Lease), int64(r.FirstSeen), int64(r.Version), int32(r.Claims), int16(r.End),
		r.Doubted, r.SafeNewKey, orNull(r.DoneAt), orNull(r.PurgeAt), replyOf(r.End, r.Reply),
	}
}

// removeArgs are the parameters of [statements].remove.
func (s *statements) removeArgs(r store.Record) []any {
	return s.at([]any{r.ID[:], r.Token[:], int64(r.Version)}, r.Identity)
}

// inserting is the statement that writes a record in place of old.
func (s *statements) inserting(old store.Record) string {
	if old.State != store.Absent {
		return s.insertAnew
	}
	return s.insert
}
