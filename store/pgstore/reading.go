package pgstore

import (
	"context"

	"github.com/onceward/onceward/store"
)

// Get implements [store.Desk]. It is refused on a standby, whose past is not the table's present.
func (s *Store) Get(ctx context.Context, who store.Identity) (store.Answer, error) {
	if err := who.Validate(); err != nil {
		return store.Answer{}, err
	}
	f, err := s.load(ctx, who, "get")
	if err != nil {
		return store.Answer{}, err
	}
	return store.Read(f.record(), who, f.env()), nil
}

func (s *Store) load(ctx context.Context, who store.Identity, op string) (f found, err error) {
	if err := s.over(ctx); err != nil {
		return f, err
	}
	noToken := store.Token{}
	err = s.pool.QueryRow(ctx, s.sql.read, s.sql.at([]any{who.ID[:], []byte(who.Service), noToken[:], int64(s.last.Newest())}, who)...).Scan(f.targets()...)
	if err == nil {
		err = f.primary()
	}
	if err != nil {
		return f, failed(op, err)
	}
	s.last.See(store.Time(f.now))
	return f, nil
}

// Wait implements [store.Protocol]. Nobody is notified: after a look at the record it waits for the end of ctx, and its caller polls.
func (s *Store) Wait(ctx context.Context, who store.Identity, version uint64) error {
	if err := who.Validate(); err != nil {
		return err
	}
	f, err := s.load(ctx, who, "wait")
	if err != nil {
		return err
	}
	if r := f.record(); r.State == store.Absent || r.Version != version {
		return nil
	}
	select {
	case <-s.closing:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
