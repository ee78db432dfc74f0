package memstore

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/onceward/onceward/store"
)

func TestHeapGivesTheEarliestFirst(t *testing.T) {
	const seed = 1
	rnd := rand.New(rand.NewPCG(seed, 0))
	var h heap[int]
	inside := 0
	for range 20 {
		for range rnd.IntN(500) {
			h.push(store.Time(rnd.IntN(100)), 0)
			inside++
		}
		last := store.Time(-1)
		for range rnd.IntN(inside + 1) {
			e := h.pop()
			if e.at < last {
				t.Fatalf("seed %d: %d after %d", seed, e.at, last)
			}
			last = e.at
			inside--
		}
		if len(h) != inside {
			t.Fatalf("seed %d: %d inside, want %d", seed, len(h), inside)
		}
	}
}

// The index and the chunks against a map, with few tags, so that searches run into each other and around the end.
func TestFinishedFindsWhatIsThere(t *testing.T) {
	const seed = 2
	rnd := rand.New(rand.NewPCG(seed, 0))
	for _, tags := range []uint64{1, 7, 1 << 20} {
		var f finished
		model := map[store.ID][]byte{}
		hash := func(id store.ID) uint64 { return (uint64(id[0]) | uint64(id[1])<<8) * 0x9e3779b9 % tags }
		for now := store.Time(0); now < 3000; now++ {
			for f.due.dueBy(now) {
				r := f.due.pop().what
				id := f.at(r).id
				f.drop(hash(id), r)
				delete(model, id)
			}
			id := store.ID{byte(rnd.IntN(256)), byte(rnd.IntN(3))}
			r := f.find(hash(id), id)
			want, ok := model[id]
			switch {
			case ok != (r != 0):
				t.Fatalf("seed %d, tags %d, step %d: found %v, want %v", seed, tags, now, r != 0, ok)
			case !ok:
				reply := make([]byte, rnd.IntN(200))
				if rnd.IntN(20) == 0 {
					reply = make([]byte, ownChunk+rnd.IntN(100))
				}
				fill(reply, byte(now))
				rec := store.Record{
					Identity: store.Identity{ID: id, Service: "s", Principal: "p", Key: "k", Stamp: 5},
					State:    store.Done, End: store.EndReply, Reply: reply, Version: 2, PurgeAt: now + store.Time(rnd.IntN(1000)),
				}
				f.add(hash(id), f.encode(rec, 3), rec.PurgeAt, now)
				model[id] = reply
				continue
			}
			e := f.at(r)
			rec, err := e.decode("s", store.Identity{})
			if err != nil || rec.ID != id || rec.Stamp != 5 || e.service != 3 || rec.Service != "s" || !bytes.Equal(rec.Reply, want) {
				t.Fatalf("seed %d, tags %d, step %d: decoded %+v, %v", seed, tags, now, rec, err)
			}
		}
		if f.index.count != len(model) || len(f.due) != len(model) {
			t.Fatalf("seed %d: %d in the index, %d on the heap, want %d", seed, f.index.count, len(f.due), len(model))
		}
		for id := range model {
			r := f.find(hash(id), id)
			f.drop(hash(id), r)
		}
		for n, k := range f.chunks.all {
			if k.bytes != nil {
				t.Fatalf("seed %d: chunk %d is still there although it is empty", seed, n)
			}
		}
		if len(f.index.slots) > 2*leastSlots {
			t.Errorf("an empty index kept %d slots", len(f.index.slots))
		}
	}
}

func fill(b []byte, with byte) {
	for i := range b {
		b[i] = with
	}
}

// One record that lives long must not hold on to the memory of many that do not.
func TestLongLivedRecordsDoNotPinChunks(t *testing.T) {
	var f finished
	for i := range 10_000 {
		life := store.Time(1000)
		if i%50 == 0 {
			life = 1_000_000
		}
		id := store.ID{byte(i), byte(i >> 8)}
		r := store.Record{Identity: store.Identity{ID: id}, State: store.Done, End: store.EndReply, Reply: make([]byte, 1000)}
		f.add(uint64(i), f.encode(r, 0), life, 0)
	}
	for f.due.dueBy(1000) {
		r := f.due.pop().what
		id := f.at(r).id
		f.drop(uint64(id[0])|uint64(id[1])<<8, r)
	}
	held := 0
	for _, k := range f.chunks.all {
		held += cap(k.bytes)
	}
	if len(f.due) != 200 || held > 400*1100 {
		t.Errorf("%d records of 1 KB are left and hold %d bytes", len(f.due), held)
	}
}
