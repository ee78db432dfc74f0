package onceward_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// lateReader is a store whose connection is still reading what it was given in a call that it has failed.
type lateReader struct {
	store.Store
	mu    sync.Mutex
	given [][]byte // by failed calls
	was   [][]byte // what stood there
}

func (s *lateReader) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	if q.Op == store.OpComplete {
		s.mu.Lock()
		fail := len(s.given)%2 == 0
		s.given, s.was = append(s.given, q.Reply), append(s.was, bytes.Clone(q.Reply))
		s.mu.Unlock()
		if fail {
			return store.Answer{}, errWire
		}
	}
	return s.Store.Advance(ctx, q)
}

// The memory of an encoded reply serves the next operation, but not while a store that has not answered may be reading it.
func TestWhatAStoreHasNotAnsweredIsNotOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &lateReader{Store: memstore.New(memstore.Config{})}
		g, err := onceward.New(late, onceward.Config{MaintainEvery: onceward.NoMaintenance})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close(ctx)
		for i := range 50 {
			text := fmt.Sprintf("reply %02d", i)
			r, err := g.Do(ctx, call(mint(t), "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
				return onceward.Save(onceward.Reply{Status: 200, Body: []byte(text)})
			})
			wantReply(t, r, err, text, false)
		}
		for i, given := range late.given {
			if !bytes.Equal(given, late.was[i]) {
				t.Fatalf("save %d was given %q, and now reads %q", i, late.was[i], given)
			}
		}
	})
}
