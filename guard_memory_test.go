package onceward_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// recent is a store with a cache of what it has answered.
type recent struct {
	store.Store
	done map[string]store.Record
}

func (s recent) Advance(ctx context.Context, q store.AdvanceRequest) (store.Answer, error) {
	a, err := s.Store.Advance(ctx, q)
	if q.Op == store.OpComplete && err == nil {
		s.done[q.Key] = a.Record
	}
	return a, err
}

// The memory of an encoded reply serves the next operation; a store's answer must not be made of it.
func TestAStoresAnswerKeepsItsReply(t *testing.T) {
	s := recent{memstore.New(memstore.Config{}), map[string]store.Record{}}
	g, err := onceward.New(s, onceward.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(ctx)
	want := map[string]string{}
	for i := range 50 {
		key, text := mint(t), fmt.Sprintf("reply %02d", i)
		want[key.Text()] = text
		if _, err := g.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
			return onceward.Save(onceward.Reply{Status: 200, Body: []byte(text)})
		}); err != nil {
			t.Fatal(err)
		}
	}
	for key, r := range s.done {
		if reply, err := onceward.DecodeReply(r.Reply); err != nil || string(reply.Body) != want[key] {
			t.Errorf("%q is %q now, %v", want[key], reply.Body, err)
		}
	}
}

// Each caller may append to the header that it is given, and change a reply that was not shared.
func TestCallersDoNotMeetInAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{MaxReply: 1000})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close(ctx)
		for _, size := range []int{10, 2000} { // shared, and too large to be
			c := call(mint(t), "x")
			c.ReadOnly = size == 10
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					r, err := g.Do(ctx, c, func(context.Context, onceward.Attempt) onceward.Outcome {
						time.Sleep(time.Millisecond)
						header := append(make([]onceward.Field, 0, 8), onceward.Field{Name: "A", Value: "b"})
						return onceward.Save(onceward.Reply{Status: 200, Header: header, Body: make([]byte, size)})
					})
					if err != nil {
						return
					}
					h := append(r.Reply.Header, onceward.Field{Name: "X-Trace", Value: fmt.Sprint(i)})
					if !c.ReadOnly {
						clear(r.Reply.Body)
					}
					time.Sleep(time.Millisecond)
					if got := h[len(h)-1].Value; got != fmt.Sprint(i) {
						t.Errorf("the trace of %d is %s", i, got)
					}
				})
			}
			all.Wait()
		}
	})
}

// Loggers and mocks print contexts; the heartbeat works on this one meanwhile.
func TestAContextPrintsWithoutARace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{Lease: 30 * time.Millisecond, StoreTimeout: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close(ctx)
		_, err = g.Do(ctx, call(mint(t), "x"), func(ctx context.Context, _ onceward.Attempt) onceward.Outcome {
			for range 20 {
				time.Sleep(10 * time.Millisecond)
				if text := fmt.Sprintf("%v %+v", ctx, ctx); strings.Contains(text, "{") {
					t.Fatalf("it prints its fields: %s", text)
				}
			}
			return onceward.Save(onceward.Reply{Status: 200})
		})
		if err != nil {
			t.Error(err)
		}
	})
}
