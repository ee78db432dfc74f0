package onceward

import (
	"context"
	"errors"
	"log/slog"
)

// LogObserver returns an [Observer] that writes to l: calls at debug, refusals of a store or a save at warning, alarms at error, upkeep at debug.
// It writes ids and redacted keys, never keys, principals or replies.
func LogObserver(l *slog.Logger) Observer {
	return Observer{
		Call:   func(ctx context.Context, e CallEvent) { logCall(ctx, l, e) },
		Alarm:  func(ctx context.Context, e AlarmEvent) { logAlarm(ctx, l, e) },
		Upkeep: func(ctx context.Context, e UpkeepEvent) { logUpkeep(ctx, l, e) },
	}
}

var standingNames = [...]string{"refused", Saved: "saved", Freed: "freed", Doubted: "doubted"}

func logCall(ctx context.Context, l *slog.Logger, e CallEvent) {
	level := slog.LevelDebug
	if e.Err != nil && FateOf(e.Err) == Unknown && !errors.Is(e.Err, ErrInProgress) && !errors.Is(e.Err, ErrKeyReused) { // those are answers to a copy, which wait for nobody here
		level = slog.LevelWarn
	}
	if !l.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("service", e.Service), slog.String("id", e.ID.String()), slog.Any("key", e.Key),
		slog.String("standing", standingNames[e.Standing]), slog.Bool("replayed", e.Replayed),
		slog.Duration("waited", e.Waited), slog.Duration("ran", e.Ran),
	}
	if e.Doubted {
		attrs = append(attrs, slog.Bool("doubted", true))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	l.LogAttrs(ctx, level, "onceward call", attrs...)
}

func logAlarm(ctx context.Context, l *slog.Logger, e AlarmEvent) {
	attrs := []slog.Attr{slog.String("alarm", string(e.Alarm)), slog.String("service", e.Service)}
	if !e.Key.IsZero() {
		attrs = append(attrs, slog.String("id", e.ID.String()), slog.Any("key", e.Key))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	l.LogAttrs(ctx, slog.LevelError, "onceward alarm", attrs...)
}

func logUpkeep(ctx context.Context, l *slog.Logger, e UpkeepEvent) {
	l.LogAttrs(ctx, slog.LevelDebug, "onceward upkeep", slog.Int("removed", e.Removed),
		slog.Int64("unknown", e.Stats.Unknown), slog.Int64("done", e.Stats.Done),
		slog.Int64("bytes", e.Stats.Bytes), slog.Duration("took", e.Took))
}
