package pebblestore

import (
	"slices"
	"sync"
	"sync/atomic"
)

// sieve knows of nearly every id that is not in a bucket that it is not there, which spares a new key its read. It is a Bloom filter of blocks (Putze, Sanders, Singler:
// Cache-, Hash- and Space-Efficient Bloom Filters, 2007), in layers that double. It is right because it began with its bucket: one that was found on the disk has none.
type sieve struct {
	all    *sieves
	layers atomic.Pointer[[]layer] // nil: it was dropped, and knows nothing for ever
	room   atomic.Int64            // ids that the newest layer still takes
}

// layer is blocks of eight words. An id sets one bit in each word of one block.
type layer []atomic.Uint32

const (
	blockWords = 8
	blockIDs   = 16               // of ids that are not there one in some four hundred passes a full layer
	firstLayer = 512 * blockWords // 16 KiB

	sievesShare = 16 // all of them take a sixteenth of Config.Memory
	wordBytes   = 4
)

// salts draw an id's bit in each word of its block: odd numbers, each of its own, as the filters of Apache Parquet have them.
var salts = [blockWords]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

func (l layer) block(hash uint64) layer {
	at := (hash >> 32) * uint64(len(l)/blockWords) >> 32 * blockWords
	return l[at : at+blockWords]
}

func (l layer) add(hash uint64) {
	block := l.block(hash)
	for i := range block {
		block[i].Or(1 << (uint32(hash) * salts[i] >> 27))
	}
}

func (l layer) has(hash uint64) bool {
	block := l.block(hash)
	for i := range block {
		if block[i].Load()&(1<<(uint32(hash)*salts[i]>>27)) == 0 {
			return false
		}
	}
	return true
}

// lacks reports that no id with this hash was ever added. Adding and asking for an id are in turns, by the lock of its stripe.
func (s *sieve) lacks(hash uint64) bool {
	if s == nil {
		return false
	}
	layers := s.layers.Load()
	return layers != nil && !slices.ContainsFunc(*layers, func(l layer) bool { return l.has(hash) })
}

// add is called before the record is written.
func (s *sieve) add(hash uint64) {
	if s == nil {
		return
	}
	if s.room.Add(-1) < 0 {
		s.all.grow(s)
	}
	if layers := s.layers.Load(); layers != nil {
		(*layers)[len(*layers)-1].add(hash)
	}
}

// sieves share what the configuration gives them. Few new keys come to old buckets, so the oldest sieves make room for the others.
type sieves struct {
	mu   sync.Mutex
	free int // words
	all  []*sieve
}

// begin is the sieve of a new bucket.
func (a *sieves) begin() *sieve {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &sieve{all: a}
	s.layers.Store(&[]layer{})
	a.all = append(a.all, s)
	return s
}

// grow gives a sieve another layer.
func (a *sieves) grow(s *sieve) {
	a.mu.Lock()
	defer a.mu.Unlock()
	layers := s.layers.Load()
	if layers == nil || s.room.Load() >= 0 { // somebody was faster
		return
	}
	words := firstLayer << len(*layers)
	for a.free < words {
		if a.all[0] == s {
			a.drop(s)
			return
		}
		a.drop(a.all[0])
	}
	a.free -= words
	more := append(slices.Clip(*layers), make(layer, words))
	s.layers.Store(&more)
	s.room.Store(int64(words/blockWords*blockIDs) - 1) // one comes now
}

// end is for the sieve of a bucket that is gone.
func (a *sieves) end(s *sieve) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s != nil && s.layers.Load() != nil {
		a.drop(s)
	}
}

// drop takes the sieve's layers for good. The caller has mu.
func (a *sieves) drop(s *sieve) {
	for _, l := range *s.layers.Swap(nil) {
		a.free += len(l)
	}
	i := slices.Index(a.all, s)
	a.all = slices.Delete(a.all, i, i+1)
}
