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
	spare    []*openRecord // for the next claims
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

// load finds the record of who.ID.
func (h *held) load(sh *shard, hash uint64, who *store.Identity) error {
	h.shard, h.id, h.hash = sh, who.ID, hash
	if o := sh.open[who.ID]; o != nil {
		h.open, h.record = o, o.record
		return nil
	}
	r := sh.done.find(hash, who.ID)
	if r == 0 {
		return nil
	}
	e := sh.done.at(r)
	var err error
	h.record, err = e.decode(sh.numbered[e.service].name, *who)
	return err
}

const maxSpare = 16 // open records of a shard that are kept for the next claims

// newOpen returns memory for an open record.
func (sh *shard) newOpen() *openRecord {
	last := len(sh.spare) - 1
	if last < 0 {
		return new(openRecord)
	}
	o := sh.spare[last]
	sh.spare = sh.spare[:last]
	return o
}

// close forgets an open record. Nobody outside the lock has a pointer to it.
func (sh *shard) close(o *openRecord) {
	delete(sh.open, o.record.ID)
	if *o = (openRecord{}); len(sh.spare) < maxSpare {
		sh.spare = append(sh.spare, o)
	}
}

// free gives up everything that the shard holds.
func (sh *shard) free() {
	sh.closed = true
	sh.services, sh.numbered, sh.open, sh.spare, sh.waits = nil, nil, nil, nil, nil
	sh.done, sh.marks = finished{}, marks{}
}
