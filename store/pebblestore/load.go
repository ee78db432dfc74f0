package pebblestore

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// load reads what the store keeps in memory: services and their buckets, and counts. It visits the open records' index, but no record.
func (s *Store) load() error {
	for _, part := range []struct {
		tag  byte
		read func(key, value []byte) error
	}{
		{tagService, s.loadService}, {tagWatermark, s.loadWatermark}, {tagNewest, s.loadNewest}, {tagBucket, s.loadBucket}, {tagCount, s.loadCount},
		{tagClaimed, s.loadOpen}, {tagStarted, s.loadOpen},
		{tagMark, func(_, _ []byte) error { s.marks.Add(1); return nil }},
	} {
		if err := s.scan([]byte{part.tag}, part.read); err != nil {
			return err
		}
	}
	for n, svc := range *s.services.byNumber.Load() {
		if svc == nil {
			return fmt.Errorf("%w: the service with the number %d is missing", ErrCorrupt, n)
		}
	}
	return s.loadTrail()
}

func corrupt(what string, key []byte) error {
	return fmt.Errorf("%w: %s is unreadable under the key %x", ErrCorrupt, what, key)
}

func (s *Store) loadService(key, value []byte) error {
	if len(value) != 4 {
		return corrupt("a service", key)
	}
	all := *s.services.byNumber.Load()
	n := binary.BigEndian.Uint32(value)
	for uint32(len(all)) <= n && n < 1<<20 {
		all = append(all, nil)
	}
	if n >= 1<<20 || all[n] != nil {
		return corrupt("a service's number", key)
	}
	svc := newService(string(key[1:]), n)
	all[n] = svc
	s.services.byNumber.Store(&all)
	(*s.services.byName.Load())[svc.name] = svc
	return nil
}

// serviceOf reads the service's number behind the tag.
func (s *Store) serviceOf(key []byte) *service {
	if len(key) < 5 {
		return nil
	}
	return s.numbered(binary.BigEndian.Uint32(key[1:]))
}

func (s *Store) loadWatermark(key, value []byte) error {
	svc := s.serviceOf(key)
	if svc == nil || len(value) != 8 {
		return corrupt("a watermark", key)
	}
	svc.watermark = timeAt(value)
	return nil
}

func (s *Store) loadNewest(key, value []byte) error {
	svc := s.serviceOf(key)
	if svc == nil || len(key) != 6 || len(value) != 8 {
		return corrupt("the newest removed bucket", key)
	}
	svc.live.Load().newest[kind(key[5])] = timeAt(value)
	return nil
}

func (s *Store) loadBucket(key, value []byte) error {
	_, k, at, ok := parseBucketKey(key)
	svc := s.serviceOf(key)
	b, good := parseBucketRow(k, at, value)
	if !ok || !good || svc == nil {
		return corrupt("a bucket", key)
	}
	svc.live.Store(svc.live.Load().with(b))
	return nil
}

func (s *Store) loadCount(key, value []byte) error {
	_, k, at, ok := parseBucketKey(key)
	svc := s.serviceOf(key)
	var c count
	if !ok || svc == nil || c.add(value) != nil || c.done < 0 {
		return corrupt("a count", key)
	}
	if k == attic {
		svc.attic.Add(c.done)
	} else {
		b := svc.live.Load().at(place{k, at}, s.width)
		if b == nil {
			return corrupt("the count of a bucket that is not there", key)
		}
		b.done.Store(c.done)
		b.bytes.Store(c.bytes)
	}
	svc.totals.done.Add(c.done)
	svc.totals.bytes.Add(c.bytes)
	s.room.give(c.done, c.bytes)
	return nil
}

func (s *Store) loadOpen(key, value []byte) error {
	_, n, _, ok := parseIndexKey(key)
	svc := s.numbered(n)
	e, err := parseOpenEntry(value)
	if !ok || svc == nil || err != nil {
		return corrupt("an entry of the index of open records", key)
	}
	if key[0] == tagClaimed {
		svc.totals.claimed.Add(1)
	} else {
		svc.totals.started.Add(1)
	}
	svc.totals.bytes.Add(e.cost)
	s.room.give(1, e.cost)
	s.room.reserved.Add(e.reserve)
	if e.place.kind == attic {
		svc.attic.Add(1)
		return nil
	}
	b := svc.live.Load().at(e.place, s.width)
	if b == nil {
		return corrupt("an open record's bucket", key)
	}
	b.open.Add(1)
	return nil
}

func (s *Store) loadTrail() error {
	_, upper := span([]byte{tagTrail})
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{tagTrail}, UpperBound: upper})
	if err != nil {
		return err
	}
	if it.Last() && len(it.Key()) == 9 {
		s.entries = binary.BigEndian.Uint64(it.Key()[1:]) + 1
	}
	return it.Close()
}
