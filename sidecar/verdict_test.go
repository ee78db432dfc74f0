package sidecar

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/memstore"
)

// Under basic, who waits with the right password does not get the 403 of a wrong one.
func TestAWrongPasswordsAnswerIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close(context.Background())
		judge := newJudging(g, scopeBasic)
		key, err := onceward.ParseKey("k")
		if err != nil {
			t.Fatal(err)
		}
		call := onceward.Call{Scope: onceward.Scope{Service: "orders", Principal: "basic:alice"}, Key: key, Fingerprint: onceward.BytesFingerprint("order", []byte("x"))}
		gate, wrong := make(chan struct{}), make(chan int, 1)
		ask := func(end onceward.Outcome, wait <-chan struct{}) int {
			result, err := judge.Do(t.Context(), call, func(context.Context, onceward.Attempt) onceward.Outcome {
				if wait != nil {
					<-wait
				}
				return end
			})
			if err != nil {
				t.Error(err)
			}
			return result.Reply.Status
		}
		right := make(chan int, 1)
		go func() { wrong <- ask(onceward.Free(onceward.Reply{Status: 403}), gate) }()
		synctest.Wait()
		go func() { right <- ask(onceward.Save(onceward.Reply{Status: 201}), nil) }()
		synctest.Wait() // it waits for the first
		close(gate)
		if w, r := <-wrong, <-right; w != 403 || r != 201 {
			t.Errorf("the wrong password gets %d, and the right one %d", w, r)
		}
	})
}
