package pebblestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// cut is a range that is cut out of the files at once: neighbouring removed buckets, with nothing alive between them.
type cut struct {
	service *service
	first   *bucket
	last    *bucket
	rows    [][]byte
}

// cutOut takes removed buckets out of the files, so that the disk gets their space back at once; also those that a crash has left. Readers and writers go on meanwhile.
func (s *Store) cutOut(ctx context.Context) error {
	var cuts []*cut
	err := s.scan([]byte{tagRemoved}, func(key, value []byte) error {
		_, k, at, ok := parseBucketKey(key)
		b, good := parseBucketRow(k, at, value)
		svc := s.serviceOf(key)
		if !ok || !good || svc == nil {
			return fmt.Errorf("%w: a removed bucket", ErrCorrupt)
		}
		if n := len(cuts); n == 0 || !cuts[n-1].reaches(svc, b) {
			cuts = append(cuts, &cut{service: svc, first: b})
		}
		c := cuts[len(cuts)-1]
		c.last, c.rows = b, append(c.rows, bytes.Clone(key))
		return nil
	})
	if len(cuts) > 0 && err == nil {
		err = s.settle()
	}
	for _, c := range cuts {
		if err == nil {
			err = s.passAnyway(ctx) // each cut may begin a memtable
		}
		if err == nil {
			err = s.cut(ctx, c)
		}
	}
	return err
}

// reaches reports whether the range may go on to b. New buckets come behind all that were removed, so nothing comes between later.
func (c *cut) reaches(svc *service, b *bucket) bool {
	if c.service != svc || c.first.kind != b.kind {
		return false
	}
	for _, alive := range svc.live.Load().all() {
		if alive.kind == b.kind && alive.at > c.first.at && alive.at < b.at {
			return false
		}
	}
	return true
}

func (s *Store) cut(ctx context.Context, c *cut) (err error) {
	if cause := s.Err(); cause != nil {
		return cause
	}
	defer s.recoverFatal(&err)
	lower, _ := c.first.bounds(c.service.number)
	_, upper := c.last.bounds(c.service.number)
	if cause := s.backlog.failing.Load(); cause != nil && !errors.Is(*cause, syscall.ENOSPC) {
		return nil // it would add to what has to be flushed; a later purge cuts. On a full disk it makes room
	}
	s.config.reach("cut out")
	if err := s.db.Excise(context.WithoutCancel(ctx), pebble.KeyRange{Start: lower, End: upper}); err != nil {
		return failed("purge", err)
	}
	s.config.reach("excise")
	return s.commit(func(b *pebble.Batch) error { // if it is lost, nothing is cut out once more
		var all firstError
		for _, row := range c.rows {
			all.add(b.Delete(row, nil))
		}
		return all.err
	}, pebble.NoSync)
}
