package pebblestore

import (
	"encoding/binary"
	"fmt"

	"github.com/onceward/onceward/store"
)

// A stored record is the room that it reserves, as a varint, and [store.AppendRecord].

// What a record costs beside its encoding, as counted. An open record costs more than the same record done with a reply within its reserve, so that
// completing never needs room: A11.
const (
	openOverhead = 256
	doneOverhead = 128
	maxReserve   = 1 << 40
)

func encode(r store.Record, reserve int64) []byte {
	b := make([]byte, 0, binary.MaxVarintLen64+store.MaxEncodedOverhead+len(r.Service)+len(r.Principal)+len(r.Key)+len(r.Reply))
	return store.AppendRecord(binary.AppendUvarint(b, uint64(reserve)), r)
}

// decode reads a stored record, whose reply aliases value.
func decode(who store.Identity, value []byte) (r store.Record, reserve int64, err error) {
	room, n := binary.Uvarint(value)
	if n <= 0 || room > maxReserve {
		return r, 0, fmt.Errorf("%w: record %v: its reserve is unreadable", ErrCorrupt, who.ID)
	}
	r, err = store.DecodeRecordOf(who, value[n:])
	if err != nil {
		return r, 0, fmt.Errorf("%w: record %v: %w", ErrCorrupt, who.ID, err)
	}
	return r, int64(room), nil
}

// cost is what a record counts; size is its encoding's.
func cost(r store.Record, size int, reserve int64) int64 {
	if r.Open() {
		return openOverhead + int64(size) + reserve
	}
	return doneOverhead + int64(size)
}

// openEntry is the value in the indexes o and p: where the record stands, what it costs, and what it reserves.
type openEntry struct {
	place         place
	cost, reserve int64
}

func (e openEntry) append(b []byte) []byte {
	b = appendTime(append(b, byte(e.place.kind)), e.place.at)
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(e.cost)), uint64(e.reserve))
}

func parseOpenEntry(b []byte) (e openEntry, err error) {
	bad := fmt.Errorf("%w: an entry of the index of open records", ErrCorrupt)
	if len(b) < 11 {
		return e, bad
	}
	e.place = place{kind(b[0]), timeAt(b[1:])}
	if k := e.place.kind; k != stamped && k != fresh && k != attic {
		return e, bad
	}
	cost, n := binary.Uvarint(b[9:])
	if n <= 0 {
		return e, bad
	}
	reserve, m := binary.Uvarint(b[9+n:])
	if m != len(b)-9-n {
		return e, bad
	}
	e.cost, e.reserve = int64(cost), int64(reserve)
	return e, nil
}

// dueEntry is the value in the index d.
type dueEntry struct {
	stamp store.Time
	cost  int64
}

func (e dueEntry) append(b []byte) []byte {
	return binary.AppendUvarint(appendTime(b, e.stamp), uint64(e.cost))
}

func parseDueEntry(b []byte) (dueEntry, error) {
	if len(b) < 9 {
		return dueEntry{}, fmt.Errorf("%w: an entry of the attic's index", ErrCorrupt)
	}
	cost, n := binary.Uvarint(b[8:])
	if n != len(b)-8 {
		return dueEntry{}, fmt.Errorf("%w: an entry of the attic's index", ErrCorrupt)
	}
	return dueEntry{timeAt(b), int64(cost)}, nil
}
