package onceward_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// lateOwner is a call whose lease is over while its function runs, with the record as an operator sees it.
type lateOwner struct {
	key    onceward.Key
	record store.Record
	back   chan struct{} // closed: the function returns its reply, "late"
	ended  chan lateEnd
}

type lateEnd struct {
	result onceward.Result
	err    error
}

// stall must run in a bubble.
func stall(t *testing.T, w *world) lateOwner {
	t.Helper()
	w.store.fail(on("extend"), nil)
	l := lateOwner{key: mint(t), back: make(chan struct{}), ended: make(chan lateEnd, 1)}
	go func() {
		r, err := w.a.Do(ctx, call(l.key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
			<-l.back
			return onceward.Save(reply("late"))
		})
		l.ended <- lateEnd{r, err}
	}()
	time.Sleep(onceward.DefaultLease)
	page, err := w.b.Unknowns(ctx, onceward.UnknownsRequest{})
	if err != nil || len(page.Records) != 1 || page.Records[0].Key != l.key.Text() {
		t.Fatalf("unknowns: %+v, %v", page.Records, err)
	}
	l.record = page.Records[0]
	return l
}

func (l lateOwner) didNotHappen() onceward.Resolution {
	return onceward.Resolution{Record: l.record, Attested: true, Actor: "ops", Reason: "the provider has no such charge"}
}

func TestAResolutionBeforeTheLateOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		l := stall(t, w)
		if _, err := w.b.Resolve(ctx, l.didNotHappen()); err != nil {
			t.Fatal(err)
		}
		close(l.back)
		end := <-l.ended
		wantErr(t, end.err, onceward.ErrNotExecuted)
		if onceward.FateOf(end.err) != onceward.Unknown {
			t.Error("a run that had its effect tells its caller that nothing happened")
		}
		if w.alarms(onceward.AlarmContradiction) != 1 {
			t.Error("nobody is told of the contradiction")
		}
		trail, err := w.b.Trail(ctx, onceward.TrailRequest{ID: l.record.ID})
		if err != nil || len(trail.Entries) != 2 || trail.Entries[0].Actor != "ops" || trail.Entries[1].Action != store.ActionContradiction {
			t.Errorf("trail: %+v, %v", trail.Entries, err)
		}
		_, err = w.b.Do(ctx, call(l.key, "x"), nil)
		wantErr(t, err, onceward.ErrNotExecuted)
	})
}

func TestALateOwnerAnswersWhatAPersonFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		l := stall(t, w)
		found := reply("found")
		if _, err := w.b.Resolve(ctx, onceward.Resolution{Record: l.record, Happened: true, Reply: &found, Actor: "ops", Reason: "seen"}); err != nil {
			t.Fatal(err)
		}
		close(l.back)
		end := <-l.ended
		wantReply(t, end.result, end.err, "found", true)
	})
}

func TestALateOwnerBeforeTheResolution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		l := stall(t, w)
		close(l.back)
		end := <-l.ended
		wantReply(t, end.result, end.err, "late", false)
		found, err := w.b.Resolve(ctx, l.didNotHappen())
		wantErr(t, err, onceward.ErrConflict)
		if found.End != store.EndReply {
			t.Errorf("the record is %+v", found)
		}
		r, err := w.b.Do(ctx, call(l.key, "x"), nil)
		wantReply(t, r, err, "late", true)
	})
}

func TestAResolutionRacesALateOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		for round := range 100 {
			l := stall(t, w)
			resolved := make(chan error, 1)
			resolve := func() {
				_, err := w.b.Resolve(ctx, l.didNotHappen())
				resolved <- err
			}
			if round%2 == 0 {
				go resolve()
				close(l.back)
			} else {
				close(l.back)
				go resolve()
			}
			err, end := <-resolved, <-l.ended
			r, after := w.b.Do(ctx, call(l.key, "x"), nil)
			switch {
			case err == nil: // the person has won
				wantErr(t, end.err, onceward.ErrNotExecuted)
				wantErr(t, after, onceward.ErrNotExecuted)
			case errors.Is(err, onceward.ErrConflict):
				wantReply(t, end.result, end.err, "late", false)
				wantReply(t, r, after, "late", true)
			default:
				t.Fatal(err)
			}
		}
	})
}
