package sidecar

import (
	"context"
	"net/http"

	"github.com/onceward/onceward"
)

// verdict is what the proxy itself knows of how a run ended. A status does not tell who has written it: a route that calls the upstream's 502
// free or saved says nothing of the 502 by which the proxy reports that the upstream is gone.
type verdict struct {
	known  bool
	ending onceward.Ending
}

// verdictOf is nil outside of a keyed run.
func verdictOf(ctx context.Context) *verdict {
	if p := passageOf(ctx); p != nil {
		return &p.verdict
	}
	return nil
}

func (v *verdict) say(e onceward.Ending) {
	if v != nil {
		v.known, v.ending = true, e
	}
}

// judging is a guard for whose runs the proxy's verdict counts more than their status.
type judging struct {
	*onceward.Guard
	forbidden bool // a 403 that is not saved is for its own caller only
}

// newJudging is a guard for callers of this scope: under basic, a 403 may be about the password, and who waits under the same name may have the right one.
func newJudging(g *onceward.Guard, scope string) judging {
	return judging{Guard: g, forbidden: scope == scopeBasic}
}

// Do implements [onceward.Executor].
func (j judging) Do(ctx context.Context, call onceward.Call, fn func(context.Context, onceward.Attempt) onceward.Outcome) (onceward.Result, error) {
	return j.Guard.Do(ctx, call, func(ctx context.Context, a onceward.Attempt) onceward.Outcome {
		p := new(passage)
		out := fn(context.WithValue(ctx, passageKey{}, p), a)
		if p.verdict.known {
			out.Ending = p.verdict.ending
		}
		out.Alone = out.Alone || j.forbidden && out.Reply.Status == http.StatusForbidden && (out.Ending == onceward.EndFree || out.Ending == onceward.EndDoubt)
		return out
	})
}
