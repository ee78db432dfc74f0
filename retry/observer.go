package retry

import (
	"context"
	"log/slog"

	"github.com/onceward/onceward"
)

// Observer is told what a loop does; logs, metrics and traces are built on it. Any function may be nil. They are called in the
// goroutine of the loop, with its caller's context, and must be quick and safe for concurrent use. Keys print redacted.
type Observer struct {
	Attempt func(context.Context, onceward.Key, Attempt) // an attempt has ended, and it is known whether there is another
	GaveUp  func(context.Context, *Error)                // a loop ends with this error
}

func (o Observer) attempt(ctx context.Context, key onceward.Key, a Attempt) {
	if o.Attempt != nil {
		o.Attempt(ctx, key, a)
	}
}

func (o Observer) gaveUp(ctx context.Context, e *Error) {
	if o.GaveUp != nil {
		o.GaveUp(ctx, e)
	}
}

// LogObserver returns an [Observer] that writes to l: each attempt at debug, and one line for each operation that was given up: at error
// if its fate is unknown, otherwise at warning. It writes redacted keys, never keys, URLs or replies.
func LogObserver(l *slog.Logger) Observer {
	return Observer{
		Attempt: func(ctx context.Context, key onceward.Key, a Attempt) { logAttempt(ctx, l, key, a) },
		GaveUp:  func(ctx context.Context, e *Error) { logGaveUp(ctx, l, e) },
	}
}

func logAttempt(ctx context.Context, l *slog.Logger, key onceward.Key, a Attempt) {
	if !l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.Any("key", key), slog.Int("attempt", a.Number), slog.Duration("took", a.Took), slog.String("end", a.End.String()),
		slog.Int("sends", a.Sends), slog.String("next", a.Next.String()), slog.Duration("wait", a.Wait),
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("error", a.Err.Error()))
	}
	l.LogAttrs(ctx, slog.LevelDebug, "onceward attempt", attrs...)
}

func logGaveUp(ctx context.Context, l *slog.Logger, e *Error) {
	level := slog.LevelWarn
	if e.fate == onceward.Unknown {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.Any("key", e.Key), slog.String("host", e.Host), slog.String("fate", e.fate.String()), slog.Int("attempts", e.Count),
		slog.Time("first_sent", e.FirstSent), slog.Duration("age", e.Age), slog.Duration("window", e.Window),
		slog.String("hint", e.Hint),
	}
	if n := len(e.Attempts); n > 0 {
		attrs = append(attrs, slog.String("end", e.Attempts[n-1].End.String()))
	}
	if e.Stop != nil {
		attrs = append(attrs, slog.String("stop", e.Stop.Error()))
	}
	if n := len(e.causes); n > 0 {
		attrs = append(attrs, slog.String("error", e.causes[n-1].Error()))
	}
	l.LogAttrs(ctx, level, "onceward gave up", attrs...)
}
