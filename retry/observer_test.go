package retry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/onceward/onceward"
)

func TestLogObserverWritesALineForEachOperationGivenUp(t *testing.T) {
	for _, c := range []struct {
		name    string
		level   slog.Level
		endings []Ending
		lines   []string // each: what it says, and no others
	}{
		{"unknown", slog.LevelInfo, []Ending{{End: EndCutOff, Sends: 1, Err: errors.New("connection reset")}},
			[]string{"level=ERROR msg=\"onceward gave up\"|host=bank fate=unknown attempts=4|end=cut-off|spent|error=\"connection reset\"|within"}},
		{"not executed", slog.LevelInfo, []Ending{replied(EndUnauthorized)}, []string{"level=WARN|fate=\"not executed\"|end=unauthorized"}},
		{"answered", slog.LevelInfo, []Ending{replied(EndSaved)}, nil},
		{"attempts", slog.LevelDebug, []Ending{{End: EndCutOff, Sends: 1}, replied(EndSaved)},
			[]string{"level=DEBUG msg=\"onceward attempt\"|attempt=1|end=cut-off|sends=1|next=retry", "attempt=2|end=saved|next=final"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				l := newLoop(t, Config{Observer: LogObserver(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: c.level})))})
				op := fresh()
				s := &script{endings: c.endings}
				_, _ = Do(t.Context(), l, op, s.try)
				lines := strings.FieldsFunc(log.String(), func(r rune) bool { return r == '\n' })
				if len(lines) != len(c.lines) {
					t.Fatalf("%d lines, want %d:\n%s", len(lines), len(c.lines), log.String())
				}
				for i, want := range c.lines {
					for part := range strings.SplitSeq(want, "|") {
						if !strings.Contains(lines[i], part) {
							t.Errorf("%q does not say %q", lines[i], part)
						}
					}
				}
				if strings.Contains(log.String(), op.Key.Text()) {
					t.Errorf("the key is in %s", log.String())
				}
			})
		})
	}
}

func TestObserverIsToldTheErrorThatIsReturned(t *testing.T) {
	type name struct{}
	var told *Error
	l := newLoop(t, Config{Policy: Policy{Attempts: 1}, Observer: Observer{GaveUp: func(ctx context.Context, e *Error) {
		if ctx.Value(name{}) == "ann" {
			told = e
		}
	}}})
	s := &script{endings: []Ending{{End: EndCutOff}}}
	_, err := Do(context.WithValue(t.Context(), name{}, "ann"), l, fresh(), s.try)
	var returned *Error
	if !errors.As(err, &returned) || told != returned || told.Host != "bank" {
		t.Errorf("told %v, returned %v", told, err)
	}
}

// Without a key a second Send may not begin beside another, or after one that may have arrived.
func TestUnkeyedIsSentOnce(t *testing.T) {
	l := newLoop(t, Config{Policy: Policy{Attempts: 1}})
	op := Operation{Kind: Unkeyed, Host: "bank", History: NewHistory(processStart, false)}
	send := func(e Ending) (int, error) {
		s := &script{endings: []Ending{e}}
		_, err := Do(t.Context(), l, op, s.try)
		return s.calls, err
	}
	if n, err := send(Ending{End: EndNotSent}); n != 1 || onceward.FateOf(err) != onceward.NotExecuted {
		t.Errorf("%d, %v", n, err)
	}
	_, err := Do(t.Context(), l, op, func(context.Context, int) (string, Ending) {
		if n, err := send(replied(EndSaved)); n != 0 || !errors.Is(err, ErrNotRepeatable) || onceward.FateOf(err) != onceward.Unknown {
			t.Errorf("beside another: %d, %v", n, err)
		}
		return "", Ending{End: EndCutOff}
	})
	if onceward.FateOf(err) != onceward.Unknown {
		t.Error(err)
	}
	if n, err := send(replied(EndSaved)); n != 0 || !errors.Is(err, ErrNotRepeatable) || onceward.FateOf(err) != onceward.Unknown {
		t.Errorf("after one that may have arrived: %d, %v", n, err)
	}
}
