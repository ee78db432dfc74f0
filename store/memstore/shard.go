package memstore

import (
	"sync"

	"github.com/onceward/onceward/store"
)

const shardCount = 256

// shard holds the records whose hash begins with its number. Everything in it is under mu. Lock order: Store.upkeep, then
// one shard at a time, then the trail.
type shard struct {
	mu       sync.Mutex
	closed   bool
	services map[string]*service
	numbered []*service // by service.number
	open     map[store.ID]*openRecord
	done     finished
	marks    marks
	waits    map[store.ID]*waiting
}

// service is a service in one shard.
type service struct {
	name      string
	number    uint32
	watermark store.Time // this shard's copy
	count     [store.Done + 1]int64
	bytes     int64
}

// openRecord is a Claimed or Started record.
type openRecord struct {
	record  store.Record
	reserve int64 // bytes of reply that there is room for
	size    int64 // as counted, with the reserve
}

// held is what a shard holds under an id while one call works on it.
type held struct {
	shard   *shard
	id      store.ID
	hash    uint64
	service *service
	record  store.Record // State Absent if there is none
	open    *openRecord  // nil unless open
}

// service returns the shard's service of that name. Before the first seal the watermark is zero; a seal makes the service in every shard.
func (sh *shard) service(name string) *service {
	if s := sh.services[name]; s != nil {
		return s
	}
	s := &service{name: name, number: uint32(len(sh.numbered))}
	sh.services[name] = s
	sh.numbered = append(sh.numbered, s)
	return s
}

// load finds the record of id.
func (sh *shard) load(hash uint64, id store.ID) (held, error) {
	h := held{shard: sh, id: id, hash: hash}
	if o := sh.open[id]; o != nil {
		h.open, h.record = o, o.record
		return h, nil
	}
	r := sh.done.find(hash, id)
	if r == 0 {
		return h, nil
	}
	e := sh.done.at(r)
	var err error
	h.record, err = e.decode(sh.numbered[e.service].name)
	return h, err
}

// free gives up everything that the shard holds.
func (sh *shard) free() {
	sh.closed = true
	sh.services, sh.numbered, sh.open, sh.waits = nil, nil, nil, nil
	sh.done, sh.marks = finished{}, marks{}
}
