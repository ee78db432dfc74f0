package pebblestore

import (
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/onceward/onceward/store"
)

// freshBuckets is about how many buckets have to be probed for an unstamped key, whatever the window.
const freshBuckets = 24

// home is where a new record stands for its open life, and its bucket; nil in the attic. The caller holds the service's gate.
func (s *Store) home(svc *service, who *store.Identity, now store.Time, window, guard time.Duration) (place, *bucket, error) {
	if err := s.logs.refuse(); err != nil {
		return place{}, nil, err
	}
	if who.Stamp == 0 {
		return s.freshHome(svc, now, window, guard)
	}
	at := who.Stamp - who.Stamp%s.width
	b := svc.live.Load().stamped[at]
	if b == nil {
		var err error
		if b, err = s.newBucket(svc, stamped, at, window, guard); err != nil {
			return place{}, nil, err
		}
	}
	if b == nil || now >= b.deadline {
		return place{kind: attic}, nil, nil
	}
	return place{stamped, who.Stamp}, b, nil
}

func (s *Store) freshHome(svc *service, now store.Time, window, guard time.Duration) (place, *bucket, error) {
	for {
		live := svc.live.Load().fresh
		if n := len(live); n > 0 && now < live[n-1].at+live[n-1].width {
			if b := live[n-1]; now < b.deadline {
				return place{fresh, b.at}, b, nil
			}
			return place{kind: attic}, nil, nil
		}
		if _, err := s.newBucket(svc, fresh, now, window, guard); err != nil {
			return place{}, nil, err
		}
	}
}

// newBucket makes the bucket, unless somebody has made it or it was removed once: then it returns nil.
// Its row need not be synced, as with a service's number.
func (s *Store) newBucket(svc *service, k kind, at store.Time, window, guard time.Duration) (*bucket, error) {
	svc.grow.Lock()
	defer svc.grow.Unlock()
	live := svc.live.Load()
	width := s.width
	if k == fresh {
		if n := len(live.fresh); n > 0 && at < live.fresh[n-1].at+live.fresh[n-1].width {
			return nil, nil
		}
		at = max(at, live.newest[fresh]+1) // the clock may have gone back since the store was last open
		width = max(width, store.Time(window/time.Millisecond)/freshBuckets)
	} else if b := live.stamped[at]; b != nil || at <= live.newest[stamped] {
		return b, nil
	}
	b := &bucket{kind: k, at: at, width: width}
	b.deadline = (at + width + b.slack()).Add(window).Add(guard)
	if err := s.commit(func(batch *pebble.Batch) error {
		return batch.Set(bucketKey(tagBucket, svc.number, k, at), b.row(), nil)
	}, pebble.NoSync); err != nil {
		return nil, err
	}
	b.sieve = s.sieves.begin()
	svc.live.Store(live.with(b))
	return b, nil
}
