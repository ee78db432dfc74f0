package inprocess

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// ingredients is what any guard of this kind has to do for a new key, and nothing else: hash scope and key, hash the request, draw a token and a
// mint's worth of randomness, enter the operation into a table that goroutines share, set and stop the timer that renews its lease, keep a copy of its
// reply. It is the floor, and no guard: it reads no record, knows no states and answers nobody.
type ingredients struct {
	shards [256]struct {
		mu sync.Mutex
		m  map[[32]byte]*kept
	}
}

type kept struct {
	fingerprint [32]byte
	token       [16]byte
	reply       []byte
}

func newIngredients() *ingredients {
	t := &ingredients{}
	for i := range t.shards {
		t.shards[i].m = make(map[[32]byte]*kept)
	}
	return t
}

func (t *ingredients) do(key string, request []byte) {
	var named [128]byte
	id := sha256.Sum256(append(append(named[:0], "orders alice "...), key...))
	var whole [512]byte
	k := &kept{fingerprint: sha256.Sum256(append(append(whole[:0], "POST shop.example /orders channel=web application/octet-stream "...), request...))}
	_, _ = rand.Read(k.token[:])
	var minted [10]byte
	_, _ = rand.Read(minted[:])

	s := &t.shards[id[0]]
	s.mu.Lock()
	s.m[id] = k
	s.mu.Unlock()
	renew := time.AfterFunc(10*time.Second, func() { t.renew(id) })
	renew.Stop()
	reply := bytes.Clone(replyBody)
	s.mu.Lock()
	s.m[id].reply = reply
	s.mu.Unlock()
}

func (t *ingredients) renew(id [32]byte) {
	s := &t.shards[id[0]]
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.m[id]
}
