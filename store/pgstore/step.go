package pgstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/onceward/onceward/store"
)

// Claim implements [store.Protocol]. A new key, a replay and every refusal take one round trip, a takeover three.
func (s *Store) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	if a, settled, err := s.create(ctx, q); settled || err != nil {
		return a, err
	}
	return s.step(ctx, "claim", q.Identity, q.Token, func(r store.Record, env store.Env) store.Step { return store.Claim(r, q, env) })
}

// Advance implements [store.Protocol]. An owner's first complete takes one round trip, all else two.
func (s *Store) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	if q.Op == store.OpComplete {
		if a, settled, err := s.complete(ctx, q); settled || err != nil {
			return a, err
		}
	}
	return s.step(ctx, q.Op.String(), q.Identity, q.Token, func(r store.Record, env store.Env) store.Step { return store.Advance(r, q, env) })
}

// Decide implements [store.Desk].
func (s *Store) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	return s.step(ctx, q.Decision.String(), q.Identity, q.Token, func(r store.Record, env store.Env) store.Step { return store.Decide(r, q, env) })
}

// step is the general way: lock and read, decide, write and commit, in two round trips. What was read cannot have changed: everybody who
// writes takes the lock, and a purge takes only what never changes again.
func (s *Store) step(ctx context.Context, op string, who store.Identity, t store.Token, decide func(store.Record, store.Env) store.Step) (store.Answer, error) {
	if err := s.over(ctx); err != nil {
		return store.Answer{}, err
	}
	for attempt := 1; ; attempt++ {
		var answer store.Answer
		err := s.with(ctx, func(conn *pgxpool.Conn) error {
			var f found
			if err := flight(ctx, conn, func(b *pgx.Batch) {
				b.Queue(begin)
				b.Queue(holdBriefly, s.config.stall)
				b.Queue(s.sql.lockStep, idLock(who.ID), lockService, serviceLock(who.Service))
				b.Queue(s.sql.read, s.sql.at([]any{who.ID[:], []byte(who.Service), t[:], int64(s.last.Newest())}, who)...).
					QueryRow(func(r pgx.Row) error { return r.Scan(f.targets()...) })
			}); err != nil {
				return err
			}
			if err := f.primary(); err != nil {
				return err
			}
			have := f.record()
			step := decide(have, f.env())
			answer = step.Answer
			return flight(ctx, conn, func(b *pgx.Batch) {
				s.write(b, who, t, have, step)
				b.Queue(commit)
			})
		})
		switch {
		case err == nil:
			s.last.See(answer.Now)
			return answer, nil
		case attempt < 3 && raced(err): // somebody writes without the lock: by hand, perhaps
			continue
		}
		return store.Answer{}, failed(op, err)
	}
}

// holdBriefly makes the server end the transaction of a process that stalls between its two round trips. Otherwise it would keep others
// from this record, and a seal of its service waiting, and all who come after the seal.
const holdBriefly = "SELECT set_config('idle_in_transaction_session_timeout', $1::text, true)"

// raced says that a write found another record than the one read. The transaction is rolled back.
func raced(err error) bool {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return false
	}
	switch server.Code {
	case "22012", "23505", "40001", "40P01": // our own raise, a record where none was, serialization, deadlock
		return true
	}
	return false
}

// create is a claim in one round trip. Settled unless it takes a step that only [Store.step] can take.
func (s *Store) create(ctx context.Context, q store.ClaimRequest) (a store.Answer, settled bool, err error) {
	if err := s.over(ctx); err != nil {
		return a, false, err
	}
	var f found
	var made bool
	err = s.transact(ctx, func(b *pgx.Batch) {
		b.Queue(s.sql.lockStep, idLock(q.ID), lockService, serviceLock(q.Service))
		b.Queue(s.sql.create, s.createArgs(q)...).QueryRow(func(r pgx.Row) error { return r.Scan(append(f.targets(), &made)...) })
	})
	if err != nil {
		return a, false, failed("claim", err)
	}
	have := f.record()
	step := store.Claim(have, q, f.env())
	if short := s.keptFor(q); short != nil && have.State == store.Absent && step.Write == store.Put {
		return a, false, failed("claim", fmt.Errorf("%w: %w: %w", ErrPartition, store.ErrFull, short))
	}
	if made != (step.Write == store.Put) {
		return a, false, nil
	}
	if made {
		s.promise(q.Window, q.Guard)
	}
	s.last.See(step.Answer.Now)
	return step.Answer, true, nil
}

// keptFor is an error if the key would be refused as expired within its window.
func (s *Store) keptFor(q store.ClaimRequest) error {
	if q.Stamp == 0 {
		return nil
	}
	return s.sql.keeps(q.Window, q.Guard)
}

func (s *Store) createArgs(q store.ClaimRequest) []any {
	var first store.Fingerprint
	if len(q.Fingerprints) > 0 {
		first = q.Fingerprints[0]
	}
	version, sum := printOrNull(first)
	state := store.Claimed
	if q.Start {
		state = store.Started
	}
	validUntil := q.ValidUntil
	switch {
	case q.Horizon > q.Window, s.keptFor(q) != nil:
		validUntil = -1 // nothing is created: C11, or [Store.create] says why
	case validUntil == 0:
		validUntil = endOfTime
	}
	return s.sql.at([]any{
		q.ID[:], []byte(q.Service), q.Token[:], int64(s.last.Newest()), []byte(q.Principal), []byte(q.Key), orNull(q.Stamp), orNull(store.Time(q.Hint)), version, sum,
		int16(q.Policy), int16(state), millis(q.Lease), int64(store.FirstVersion(q.Token)), int64(validUntil), millisDown(q.Window), millis(q.Guard),
	}, q.Identity)
}

// complete is an owner's complete in one round trip. Settled if the record was open and the token's.
func (s *Store) complete(ctx context.Context, q store.AdvanceRequest) (a store.Answer, settled bool, err error) {
	if err := s.over(ctx); err != nil {
		return a, false, err
	}
	var f found
	err = s.transact(ctx, func(b *pgx.Batch) {
		b.Queue(s.sql.lockStep, idLock(q.ID), lockService, serviceLock(q.Service))
		args := []any{q.ID[:], q.Token[:], int64(s.last.Newest()), int16(q.End), replyOf(q.End, q.Reply), millis(q.Window), millis(q.Guard), []byte(q.Service)}
		b.Queue(s.sql.complete, s.sql.at(args, q.Identity)...).
			Query(func(rows pgx.Rows) error {
				for rows.Next() {
					settled = true
					if err := rows.Scan(f.targets()...); err != nil {
						return err
					}
				}
				return rows.Err()
			})
	})
	if err != nil || !settled {
		return a, false, failed("complete", err)
	}
	done := f.record()
	if q.End == store.EndReply {
		done.Reply = bytes.Clone(q.Reply)
	}
	s.last.See(store.Time(f.now))
	return store.Answer{Verdict: store.Applied, Record: done, Now: store.Time(f.now), Watermark: store.Time(f.watermark)}, true, nil
}
