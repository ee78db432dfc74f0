package memstore

import (
	"encoding/binary"
	"fmt"

	"github.com/onceward/onceward/store"
)

// finished holds the Done records of one shard, encoded. An entry is
//
//	id       32 bytes
//	service   4 bytes  its number in the shard
//	stamp     8 bytes
//	length    4 bytes  of the rest
//	record            [store.AppendRecord] without service and stamp
//
// Service and stamp stand in front because a purge needs nothing else.
type finished struct {
	index   index
	chunks  chunks
	due     heap[ref]
	scratch []byte
}

const (
	entryHeader = 32 + 4 + 8 + 4
	maxScratch  = 64 << 10 // a longer buffer is not kept for the next record
)

// entry is one Done record as it is stored.
type entry struct {
	id      store.ID
	service uint32
	stamp   store.Time
	record  []byte
}

// encode returns the entry of r; it is valid until the next call.
func (f *finished) encode(r store.Record, service uint32) []byte {
	b := append(f.scratch[:0], r.ID[:]...)
	b = binary.LittleEndian.AppendUint32(b, service)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Stamp))
	b = append(b, 0, 0, 0, 0)
	r.Service, r.Stamp = "", 0
	b = store.AppendRecord(b, r)
	binary.LittleEndian.PutUint32(b[entryHeader-4:], uint32(len(b)-entryHeader))
	if f.scratch = b; cap(b) > maxScratch {
		f.scratch = nil
	}
	return b
}

// add stores what encode returned, and returns where.
func (f *finished) add(hash uint64, e []byte, purgeAt, now store.Time) ref {
	r := f.chunks.put(e, purgeAt-now)
	f.index.add(tag(hash), r)
	f.due.push(purgeAt, r)
	return r
}

// find returns the place of the id's entry; zero if there is none.
func (f *finished) find(hash uint64, id store.ID) ref {
	x, t := &f.index, tag(hash)
	if len(x.slots) == 0 {
		return 0
	}
	for i := x.home(t); x.slots[i] != 0; i = x.next(i) {
		if x.slots[i]>>refBits != t {
			continue
		}
		if r := slotRef(x.slots[i]); store.ID(f.chunks.at(r)) == id {
			return r
		}
	}
	return 0
}

func (f *finished) at(r ref) entry {
	b := f.chunks.at(r)
	end := entryHeader + int(binary.LittleEndian.Uint32(b[44:]))
	return entry{
		id:      store.ID(b),
		service: binary.LittleEndian.Uint32(b[32:]),
		stamp:   store.Time(binary.LittleEndian.Uint64(b[36:])),
		record:  b[entryHeader:end:end],
	}
}

// decode returns the record; its reply aliases the entry. who is whose it probably is; see [store.DecodeRecordOf].
func (e entry) decode(service string, who store.Identity) (store.Record, error) {
	who.ID = e.id
	r, err := store.DecodeRecordOf(who, e.record)
	if err != nil {
		return store.Record{}, fmt.Errorf("memstore: its own memory of %v: %w", e.id, err)
	}
	r.Service, r.Stamp = service, e.stamp
	return r, nil
}

// drop forgets the entry, which is no longer on the heap.
func (f *finished) drop(hash uint64, r ref) {
	f.index.remove(tag(hash), r)
	f.chunks.drop(r)
}
