package pebblestore

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// service is one service's part of the store.
type service struct {
	name   string
	number uint32

	gate      sync.RWMutex // read: every step; write: Seal and Purge, while watermark and buckets change together with records
	watermark store.Time   // under gate
	attic     atomic.Int64 // records there, open and done
	totals    totals

	grow sync.Mutex // one new bucket at a time
	live atomic.Pointer[buckets]
}

// totals counts a service's records.
type totals struct {
	claimed, started, done, bytes atomic.Int64
}

func (t *totals) of(s store.State) *atomic.Int64 {
	switch s {
	case store.Claimed:
		return &t.claimed
	case store.Started:
		return &t.started
	}
	return &t.done
}

// buckets are the live buckets of a service. It is replaced, never changed.
type buckets struct {
	stamped map[store.Time]*bucket
	fresh   []*bucket           // oldest first
	newest  map[kind]store.Time // that was ever removed: nothing is put there again, because it may not be cut out of the files yet
}

// bucket holds records that are removed together.
type bucket struct {
	kind     kind
	at       store.Time // its begin, and its name
	width    store.Time
	deadline store.Time // all that is completed in it is over then
	open     atomic.Int64
	done     atomic.Int64
	bytes    atomic.Int64 // of done records
	sieve    *sieve       // nil: of what is in it only the disk knows
}

// slack is for how long after a bucket's end records are still completed in it; others go to the attic.
func (b *bucket) slack() store.Time { return b.width / 4 }

// fits reports whether a record that is over at purgeAt may be completed in the bucket: not too late, and not so early that it would long outstay its time.
func (b *bucket) fits(purgeAt store.Time) bool {
	return purgeAt <= b.deadline && purgeAt >= b.deadline-b.width-b.slack()
}

func (b *bucket) row() []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(b.width)), uint64(b.deadline))
}

func parseBucketRow(k kind, at store.Time, row []byte) (*bucket, bool) {
	width, n := binary.Uvarint(row)
	if n <= 0 {
		return nil, false
	}
	deadline, m := binary.Uvarint(row[n:])
	if m <= 0 || n+m != len(row) || k != stamped && k != fresh {
		return nil, false
	}
	return &bucket{kind: k, at: at, width: store.Time(width), deadline: store.Time(deadline)}, true
}

// bounds are the keys of the bucket's records: from the first, up to and without the second.
func (b *bucket) bounds(service uint32) (lower, upper []byte) {
	lower = appendTime(prefix(byte(b.kind), service), b.at)
	if b.kind == stamped {
		return lower, appendTime(prefix(byte(b.kind), service), b.at+b.width)
	}
	return lower, appendTime(prefix(byte(b.kind), service), b.at+1)
}

// all returns the buckets, oldest first.
func (l *buckets) all() []*bucket {
	all := slices.Concat(slices.Collect(maps.Values(l.stamped)), l.fresh)
	slices.SortFunc(all, func(a, b *bucket) int { return int(min(max(a.deadline-b.deadline, -1), 1)) })
	return all
}

// with returns a copy that has b too.
func (l *buckets) with(b *bucket) *buckets {
	next := &buckets{stamped: l.stamped, fresh: l.fresh, newest: l.newest}
	if b.kind == fresh {
		next.fresh = append(slices.Clone(l.fresh), b)
		return next
	}
	next.stamped = maps.Clone(l.stamped)
	next.stamped[b.at] = b
	return next
}

// without returns a copy in which b is removed.
func (l *buckets) without(b *bucket) *buckets {
	next := &buckets{stamped: maps.Clone(l.stamped), newest: maps.Clone(l.newest)}
	for _, f := range l.fresh {
		if f != b {
			next.fresh = append(next.fresh, f)
		}
	}
	if b.kind == stamped {
		delete(next.stamped, b.at)
	}
	next.newest[b.kind] = max(next.newest[b.kind], b.at)
	return next
}

// at finds the bucket of a place; nil: the attic, or removed.
func (l *buckets) at(p place, width store.Time) *bucket {
	switch p.kind {
	case stamped:
		return l.stamped[p.at-p.at%width]
	case fresh:
		for _, b := range slices.Backward(l.fresh) {
			if b.at == p.at {
				return b
			}
		}
	}
	return nil
}

// services are all services by name.
type services struct {
	mu       sync.Mutex // one new service at a time
	byName   atomic.Pointer[map[string]*service]
	byNumber atomic.Pointer[[]*service]
}

func (s *Store) find(name string) *service { return (*s.services.byName.Load())[name] }

func (s *Store) numbered(n uint32) *service {
	if all := *s.services.byNumber.Load(); int(n) < len(all) {
		return all[n]
	}
	return nil
}

// service finds or makes a service. Its number need not be synced: the log is one sequence, so whoever syncs what uses the number has synced it before.
func (s *Store) service(name string) (*service, error) {
	if svc := s.find(name); svc != nil {
		return svc, nil
	}
	s.services.mu.Lock()
	defer s.services.mu.Unlock()
	if svc := s.find(name); svc != nil {
		return svc, nil
	}
	svc := newService(name, uint32(len(*s.services.byNumber.Load())))
	if err := s.commit(func(b *pebble.Batch) error {
		return b.Set(append([]byte{tagService}, name...), binary.BigEndian.AppendUint32(nil, svc.number), nil)
	}, pebble.NoSync); err != nil {
		return nil, err
	}
	s.services.add(svc)
	return svc, nil
}

func newService(name string, number uint32) *service {
	svc := &service{name: name, number: number}
	svc.live.Store(&buckets{stamped: map[store.Time]*bucket{}, newest: map[kind]store.Time{}})
	return svc
}

func (all *services) add(svc *service) {
	byName, byNumber := maps.Clone(*all.byName.Load()), append(slices.Clone(*all.byNumber.Load()), svc)
	byName[svc.name] = svc
	all.byName.Store(&byName)
	all.byNumber.Store(&byNumber)
}
