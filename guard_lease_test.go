package onceward_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onceward/onceward"
)

func TestAReplacedOwnerCannotOverwrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{Wait: onceward.NoWait, OnLapse: onceward.Rerun})
		key := mint(t)
		w.store.fail(on("extend"), nil)
		back, told := make(chan struct{}), make(chan error, 1)
		go func() {
			_, err := w.a.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
				<-back
				return onceward.Save(reply("first"))
			})
			told <- err
		}()
		time.Sleep(onceward.DefaultLease)
		r, err := w.b.Do(ctx, call(key, "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
			close(back) // the stalled owner comes while its successor is at work
			wantErr(t, <-told, onceward.ErrOutcomeUnknown)
			return onceward.Save(reply("second"))
		})
		wantReply(t, r, err, "second", false)
		r, err = w.a.Do(ctx, call(key, "x"), nil)
		wantReply(t, r, err, "second", true)
	})
}

func TestAnOwnerThatFindsItsLeaseLapsedGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, onceward.Config{})
		key := mint(t)
		w.store.fail(on("extend"), nil)
		r, err := w.a.Do(ctx, call(key, "x"), func(c context.Context, _ onceward.Attempt) onceward.Outcome {
			sleepPast(onceward.DefaultLease)
			w.store.fail(nil, nil)
			time.Sleep(onceward.DefaultLease / 2) // the next heartbeat hears that it is too late
			if c.Err() != nil {
				t.Errorf("cancelled although nobody has the record: %v", context.Cause(c))
			}
			return onceward.Save(reply("late"))
		})
		wantReply(t, r, err, "late", false)
		if w.alarms(onceward.AlarmLeaseLost) != 1 || w.alarms(onceward.AlarmReplaced) != 0 {
			t.Errorf("alarms: %+v", w.alarm)
		}
		r, err = w.b.Do(ctx, call(key, "x"), nil)
		wantReply(t, r, err, "late", true)
	})
}
