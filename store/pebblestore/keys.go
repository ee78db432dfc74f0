package pebblestore

import (
	"encoding/binary"

	"github.com/onceward/onceward/store"
)

// The first byte of every key; doc.go has the table.
const (
	tagService   = 's'
	tagBucket    = 'b'
	tagCount     = 'c'
	tagDue       = 'd'
	tagClaimed   = 'o'
	tagStarted   = 'p'
	tagMark      = 'm'
	tagTrail     = 't'
	tagWatermark = 'w'
	tagNewest    = 'z'
	tagRemoved   = 'x'
)

// kind is where a record stands; its value is the first byte of the record's key.
type kind byte

const (
	stamped kind = 'r'
	fresh   kind = 'u'
	attic   kind = 'a'
)

// place is where a record of a service stands.
type place struct {
	kind kind
	at   store.Time // stamped: the stamp; fresh: the bucket; attic: zero
}

const (
	idSize     = len(store.ID{})
	indexSize  = 1 + 8 + 4 + idSize // of keys d, o and p
	recordSize = 1 + 4 + 8 + idSize // at most
)

// appendTime keeps the order of times that are not negative.
func appendTime(b []byte, t store.Time) []byte { return binary.BigEndian.AppendUint64(b, uint64(t)) }

func timeAt(b []byte) store.Time { return store.Time(binary.BigEndian.Uint64(b)) }

func prefix(tag byte, service uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{tag}, service)
}

// recordKey appends the key of a record.
func recordKey(b []byte, service uint32, p place, id store.ID) []byte {
	b = binary.BigEndian.AppendUint32(append(b, byte(p.kind)), service)
	if p.kind != attic {
		b = appendTime(b, p.at)
	}
	return append(b, id[:]...)
}

// bucketKey is the key of what the tag keeps about a bucket, or about the attic.
func bucketKey(tag byte, service uint32, k kind, bucket store.Time) []byte {
	return appendTime(append(prefix(tag, service), byte(k)), bucket)
}

func parseBucketKey(key []byte) (service uint32, k kind, bucket store.Time, ok bool) {
	if len(key) != 1+4+1+8 {
		return 0, 0, 0, false
	}
	return binary.BigEndian.Uint32(key[1:]), kind(key[5]), timeAt(key[6:]), true
}

// indexKey appends the key of an index by time.
func indexKey(b []byte, tag byte, at store.Time, service uint32, id store.ID) []byte {
	b = appendTime(append(b, tag), at)
	return append(binary.BigEndian.AppendUint32(b, service), id[:]...)
}

func parseIndexKey(key []byte) (at store.Time, service uint32, id store.ID, ok bool) {
	if len(key) != indexSize {
		return 0, 0, store.ID{}, false
	}
	return timeAt(key[1:]), binary.BigEndian.Uint32(key[9:]), store.ID(key[13:]), true
}

// stateTag is the index in which an open record stands.
func stateTag(s store.State) byte {
	if s == store.Claimed {
		return tagClaimed
	}
	return tagStarted
}

func markKey(id store.ID, t store.Token) []byte {
	return append(append([]byte{tagMark}, id[:]...), t[:]...)
}

func trailKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{tagTrail}, n) }

// span is the range of keys that begin with p.
func span(p []byte) (lower, upper []byte) {
	upper = append([]byte{}, p...)
	for i := len(upper) - 1; i >= 0; i-- {
		if upper[i]++; upper[i] != 0 {
			return p, upper[:i+1]
		}
	}
	return p, nil
}
