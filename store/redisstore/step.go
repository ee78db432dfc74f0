package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// What a script of one record says that it did.
const (
	didWrite = 1 << iota
	isDead
	isFull
	didTell // in the trail
	didMark

	isNew = 254 // all of an answer: the service has no anchor in this shard
)

// reply is what such a script answers: what it did, and what it found before.
type reply struct {
	code  byte
	env   store.Env
	found store.Record
}

// step runs a script and computes the answer from what it found, by the pure function that the script restates. Both must have come to the same.
func (s *Store) step(ctx context.Context, op string, x script, who store.Identity, keys []string, args []string, pure func(store.Record, store.Env) store.Step) (store.Answer, byte, error) {
	r, err := s.ask(ctx, x, who, keys, args)
	if err != nil {
		return store.Answer{}, 0, failed(op, err)
	}
	step := pure(r.found, r.env)
	if r.code&isFull != 0 {
		return store.Answer{}, r.code, nil
	}
	if (r.code&didWrite != 0) != (step.Write != store.Keep) || (r.code&didTell != 0) != (step.Entry != nil) || (r.code&didMark != 0) != (step.Mark != 0) {
		return store.Answer{}, 0, fmt.Errorf("redisstore: %s of %v, %v at %d: %w", op, who.ID, step.Answer.Verdict, r.env.Now, errApart)
	}
	return step.Answer, r.code, nil
}

func (s *Store) ask(ctx context.Context, x script, who store.Identity, keys []string, args []string) (r reply, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		return r, err
	}
	b, value, err := s.knowing(ctx, x, keys, args)
	if err != nil {
		return r, err
	}
	r.code = b[0]
	r.env = store.Env{Now: read48(b[1:]), Watermark: read48(b[7:]), Dead: r.code&isDead != 0}
	s.see(s.number(who.ID), r.env.Now)
	r.found, err = decode(value, who)
	return r, err
}

// knowing runs a script of a record, and returns what it says and what it found. Where its service is new to the shard, it is introduced first.
func (s *Store) knowing(ctx context.Context, x script, keys, args []string) (said, found []byte, err error) {
	for introduced := false; ; introduced = true {
		said, found, err = parts(s.run(ctx, x, keys, args...))
		switch {
		case err != nil:
			return nil, nil, err
		case len(said) == saidSize:
			return said, found, nil
		case introduced || len(said) != 1 || said[0] != isNew:
			return nil, nil, fmt.Errorf("%w (%s)", ErrForgotten, lostHint)
		}
		tag := keys[0][:len(keys[0])-1-len(store.ID{})]
		if _, err := s.shardReply("introduce", slices.Index(s.tags, tag), s.run(ctx, s.scripts.introduce, s.shardKeys(tag), args[0][:6+nameSize], args[1])); err != nil {
			return nil, nil, err
		}
	}
}

// saidSize is that of what a script did, the time and the watermark.
const saidSize = 1 + 6 + 6

// parts are the two of a script's answer. Where what was found may be long, it comes by itself: joining long strings is dear in Lua.
func parts(got rueidis.RedisResult) (said, found []byte, err error) {
	m, err := got.ToMessage()
	if err != nil {
		return nil, nil, err
	}
	if !m.IsArray() {
		b, err := m.AsBytes()
		n := min(len(b), saidSize)
		return b[:n], b[n:], err
	}
	both, err := m.ToArray()
	if err != nil || len(both) != 2 {
		return nil, nil, cmp.Or(err, errApart)
	}
	if said, err = both[0].AsBytes(); err == nil {
		found, err = both[1].AsBytes()
	}
	return said, found, err
}

// Claim implements [store.Protocol], in one flight; at full memory in two.
func (s *Store) Claim(ctx context.Context, q store.ClaimRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	if q.Policy == store.MarkUnknown && s.traits.RerunOnly {
		return store.Answer{}, fmt.Errorf("%w: %w", ErrLossyFailover, store.ErrUnsupported)
	}
	if a, ok, err := s.seen(ctx, q); ok || err != nil {
		return a, err
	}
	pure := func(r store.Record, env store.Env) store.Step { return store.Claim(r, q, env) }
	keys, args := s.claimKeys(q), s.claimArgs(q)
	a, _, err := s.step(ctx, "claim", s.scripts.claim, q.Identity, keys, args, pure)
	if errors.Is(err, store.ErrFull) {
		a, err = s.again(ctx, "claim", s.scripts.claimRoomy, q.Identity, keys, args, pure)
	}
	if a.Verdict == store.Replay {
		s.recent.add(q.ID)
	}
	return a, err
}

// again is a step at full memory, by the script that may go past it and creates nothing.
func (s *Store) again(ctx context.Context, op string, x script, who store.Identity, keys []string, args []string, pure func(store.Record, store.Env) store.Step) (store.Answer, error) {
	a, code, err := s.step(ctx, op, x, who, keys, args, pure)
	if code&isFull != 0 && err == nil {
		return store.Answer{}, fmt.Errorf("redisstore: %s: maxmemory is reached: %w", op, store.ErrFull)
	}
	return a, err
}

func (s *Store) claimArgs(q store.ClaimRequest) []string {
	until := q.ValidUntil
	if until == 0 {
		until = latest
	}
	var first store.Fingerprint
	if len(q.Fingerprints) > 0 {
		first = q.Fingerprints[0]
	}
	b := s.begin(make([]byte, 0, 140+33*len(q.Fingerprints)+len(q.Service)+len(q.Principal)+len(q.Key)), s.number(q.ID))
	b = append(b, q.Token[:]...)
	b = binary.BigEndian.AppendUint64(b, store.FirstVersion(q.Token))
	b = append48(b, until)
	b = append48(append48(append48(append48(b, up(q.Lease)), down(q.Window)), up(q.Guard)), q.Stamp)
	b = append(b, flag(q.Start), byte(q.Policy), flag(q.Horizon > q.Window))
	for _, f := range q.Fingerprints {
		b = append(append(b, f.Version), f.Sum[:]...)
	}
	n := len(b)
	b = appendBody(b, q.Identity, q.Hint, first)
	return []string{rueidis.BinaryString(b[:n]), q.Service, rueidis.BinaryString(b[n:])}
}

// Advance implements [store.Protocol], in one flight.
func (s *Store) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	pure := func(r store.Record, env store.Env) store.Step { return store.Advance(r, q, env) }
	b := append(s.begin(make([]byte, 0, 64), s.number(q.ID)), q.Token[:]...)
	if q.Op == store.OpComplete {
		if err := s.fits(q.Reply); err != nil {
			return store.Answer{}, err
		}
		b = append(b, byte(q.End))
		b = append48(append48(b, up(q.Window)+up(q.Guard)), s.span(up(q.Window)+up(q.Guard)))
		room := headSize + bodySize + len(q.Service) + len(q.Principal) + len(q.Key)
		value := append(make([]byte, room, room+len(q.Reply)), q.Reply...)
		a, _, err := s.step(ctx, "complete", s.scripts.complete, q.Identity, s.completeKeys(q.Identity), []string{rueidis.BinaryString(b), q.Service, rueidis.BinaryString(value)}, pure)
		if a.Verdict == store.Applied && a.Record.End == store.EndReply {
			a.Record.Reply = replyIn(a.Record.Reply, value[room:]) // the caller's slice is the caller's
		}
		if a.Verdict == store.Applied {
			s.recent.add(q.ID)
		}
		return a, err
	}
	b = append(b, byte(q.Op))
	b = append48(append48(b, up(q.Lease)), q.ValidUntil)
	a, _, err := s.step(ctx, q.Op.String(), s.scripts.step, q.Identity, s.stepKeys(q.Identity, q.Token), []string{rueidis.BinaryString(b), q.Service}, pure)
	return a, err
}

// fits refuses what the server would not take. It answers such a command by cutting the connection that all share, and so it does each time that it is sent again.
func (s *Store) fits(reply []byte) error {
	if len(reply) > s.traits.MaxReply {
		return fmt.Errorf("%w: Reply has %d bytes: this store keeps at most %d", store.ErrInvalid, len(reply), s.traits.MaxReply)
	}
	return nil
}

// replyIn is the reply, in what was sent if it is what was sent: a repeated complete answers the first one's.
func replyIn(reply, sent []byte) []byte {
	if bytes.Equal(reply, sent) {
		return sent
	}
	return bytes.Clone(reply)
}

// Decide implements [store.Desk], in one flight.
func (s *Store) Decide(ctx context.Context, q store.DecideRequest) (store.Answer, error) {
	if err := q.Validate(); err != nil {
		return store.Answer{}, err
	}
	if err := s.fits(q.Reply); err != nil {
		return store.Answer{}, err
	}
	pure := func(r store.Record, env store.Env) store.Step { return store.Decide(r, q, env) }
	keys, args := s.decideKeys(q.Identity), s.decideArgs(q)
	a, _, err := s.step(ctx, q.Decision.String(), s.scripts.decide, q.Identity, keys, args, pure)
	if errors.Is(err, store.ErrFull) {
		a, err = s.again(ctx, q.Decision.String(), s.scripts.decideRoomy, q.Identity, keys, args, pure)
	}
	a.Record.Reply = bytes.Clone(a.Record.Reply)
	return a, err
}

func (s *Store) decideArgs(q store.DecideRequest) []string {
	end := store.EndNotExecuted
	if q.Decision == store.Happened {
		end = store.EndReply
		if q.Reply == nil {
			end = store.EndReplyNotKept
		}
	}
	b := append(s.begin(make([]byte, 0, 128), s.number(q.ID)), q.Token[:]...)
	b = binary.BigEndian.AppendUint64(b, store.FirstVersion(q.Token))
	b = append(b, byte(q.Decision))
	b = binary.BigEndian.AppendUint64(b, q.Version)
	b = append(b, flag(q.Attested), byte(end))
	b = append48(append48(b, down(q.Window)), up(q.Guard))
	b = append48(append48(append48(b, up(q.Window)+up(q.Guard)), s.span(up(q.Window)+up(q.Guard))), q.Stamp)
	var who []byte
	if q.Actor != "" { // only then there is an entry in the trail
		who = appendText(appendText(nil, q.Actor), q.Reason)
	}
	body := appendBody(nil, q.Identity, 0, store.Fingerprint{})
	return []string{rueidis.BinaryString(b), q.Service, rueidis.BinaryString(body), rueidis.BinaryString(who), string(q.Reply)} // a copy: the driver may still be sending it when the call is given up
}

// Get implements [store.Desk]. A replica refuses it.
func (s *Store) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	if err := who.Validate(); err != nil {
		return store.Answer{}, err
	}
	r, err := s.ask(ctx, s.scripts.get, who, s.getKeys(who), []string{rueidis.BinaryString(s.begin(nil, s.number(who.ID))), who.Service})
	if err != nil {
		return store.Answer{}, failed("get", err)
	}
	return store.Read(r.found, who, r.env), nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// up is a duration in milliseconds, rounded as [store.Time.Add] rounds.
func up(d time.Duration) store.Time { return store.Time(0).Add(d) }

// down is what [store.Time.Add] takes off for a negative duration.
func down(d time.Duration) store.Time { return store.Time(d / time.Millisecond) }

// span is how much of the purge times one list of done records covers: ten minutes, doubled until 150 of them are as long as the time for which records are kept. So a service has not many
// more lists than that in a shard, for a purge and a count to go through.
func (s *Store) span(kept store.Time) store.Time {
	if s.config.bucket != 0 {
		return up(s.config.bucket)
	}
	span := up(10 * time.Minute)
	for 150*span < kept {
		span *= 2
	}
	return span
}
