package onceward_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/memstore"
)

func TestLogsTellWhatHappenedAndNoSecrets(t *testing.T) {
	for _, handler := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler {
			return slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
		func(b *bytes.Buffer) slog.Handler {
			return slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})
		},
	} {
		var out bytes.Buffer
		g, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{
			ExplicitStart: true, Observer: onceward.LogObserver(slog.New(handler(&out))),
		})
		if err != nil {
			t.Fatal(err)
		}
		key, err := onceward.ParseKey("very-secret-key-0123456789")
		if err != nil {
			t.Fatal(err)
		}
		secret := func(c context.Context, _ onceward.Attempt) onceward.Outcome {
			_ = onceward.Start(c)
			return onceward.Save(reply("secret-reply"))
		}
		for range 2 {
			r, err := g.Do(ctx, call(key, "x"), secret)
			if err != nil {
				t.Fatal(err)
			}
			slog.New(handler(&out)).Info("values", "call", call(key, "x"), "result", r, "reply", r.Reply, "key", key)
		}
		_, _ = g.Do(ctx, call(mint(t), "x"), func(context.Context, onceward.Attempt) onceward.Outcome {
			return onceward.Save(reply("secret-reply")) // an alarm
		})
		_ = g.Close(ctx)
		for _, want := range []string{"saved", "replayed", "not started", "orders"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, &out)
			}
		}
		for _, secret := range []string{key.Text(), "secret-reply", "alice"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("the log has %q:\n%s", secret, &out)
			}
		}
	}
}

// What a copy is told of the running call, or another request of the key's first one, happens at any client's will. What nobody can tell is for somebody.
func TestOnlyWhatWaitsForSomebodyIsAWarning(t *testing.T) {
	for err, want := range map[error]string{
		onceward.ErrInProgress: "DEBUG", onceward.ErrKeyReused: "DEBUG", onceward.ErrOutcomeUnknown: "WARN", onceward.ErrReplyNotSaved: "WARN",
	} {
		var out bytes.Buffer
		o := onceward.LogObserver(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		o.Call(ctx, onceward.CallEvent{Err: &onceward.Error{Op: "do", Err: err}})
		if !strings.Contains(out.String(), "level="+want) {
			t.Errorf("%v: %s, want level %s", err, out.String(), want)
		}
	}
}
