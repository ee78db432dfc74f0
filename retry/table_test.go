package retry

import (
	"strings"
	"testing"

	"github.com/onceward/onceward"
)

func TestEveryEndHasARow(t *testing.T) {
	names := map[string]End{}
	for _, r := range Table() {
		if r.Name == "" || r.Meaning == "" || r.Next < Final || r.Next > Poll {
			t.Errorf("end %d has no complete row: %+v", r.End, r)
		}
		if other, ok := names[r.Name]; ok {
			t.Errorf("%q names the ends %d and %d", r.Name, other, r.End)
		}
		names[r.Name] = r.End
		if r.Answer && (r.Next != Final || r.Proof != Proven && r.Proof != Answered) {
			t.Errorf("%s: an answer must be final and executed", r.Name)
		}
		if r.Next != Final && (r.Proof == Proven || r.Proof == Refuted || r.Proof == Answered) {
			t.Errorf("%s: the loop goes on although the record has answered", r.Name)
		}
		if r.Believes && (r.Proof == Proven || r.End == EndKeyReused || r.End == EndOutcomeUnknown || r.End == EndInProgress) {
			t.Errorf("%s contradicts safe_new_key: true", r.Name)
		}
	}
	if len(names) != endCount {
		t.Errorf("%d rows for %d ends", len(names), endCount)
	}
	if got := strings.Count(Markdown(), "\n"); got != endCount+2 {
		t.Errorf("the rendered table has %d lines, want %d", got, endCount+2)
	}
}

func TestAnEndThatNobodyKnowsProvesNothing(t *testing.T) {
	for _, e := range []End{0, endCount + 1, 255} {
		if r := rowOf(e); r.Next != Final || r.proof(Ending{SafeNewKey: true}, true) != Doubtful {
			t.Errorf("%v: %+v", e, r)
		}
	}
}

// The fates of whole histories; each would be wrong with some plausible shortcut.
func TestFateOfHistories(t *testing.T) {
	no, yes, unknown := onceward.NotExecuted, onceward.Executed, onceward.Unknown
	safeKey := func(e End) Ending { return Ending{End: e, SafeNewKey: true} }
	is := func(e End) Ending { return Ending{End: e} }
	for _, c := range []struct {
		name    string
		before  bool // sent before
		own     bool // the caller's own key
		endings []Ending
		want    onceward.Fate
	}{
		{"refused only", false, false, []Ending{is(EndNotSent), is(EndNotSent)}, no},
		{"refused with the caller's own key", false, true, []Ending{is(EndNotSent)}, no},
		{"ambiguous, then refused", false, false, []Ending{is(EndCutOff), is(EndNotSent)}, unknown},
		{"ambiguous, then 401", false, false, []Ending{is(EndAttemptTimeout), is(EndUnauthorized)}, unknown},
		{"ambiguous, then the saved reply", false, false, []Ending{is(EndReplyCut), is(EndReplayed)}, yes},
		{"ambiguous, then an unmarked 400", false, false, []Ending{is(EndCutOff), is(EndRefusal)}, unknown},
		{"ambiguous, then an unmarked 200", false, false, []Ending{is(EndCutOff), is(EndSuccess)}, yes},
		{"an unmarked 400", false, false, []Ending{is(EndRefusal)}, yes},
		{"an unmarked 400, sent before", true, false, []Ending{is(EndRefusal)}, unknown},
		{"refused, sent before", true, false, []Ending{is(EndNotSent)}, unknown},
		{"ambiguous, then not executed, attested", false, false, []Ending{is(EndCutOff), safeKey(EndNotExecuted)}, no},
		{"sent before, then cancelled", true, false, []Ending{safeKey(EndNotExecuted)}, no},
		{"not executed, not attested", false, false, []Ending{is(EndNotExecuted)}, unknown},
		{"ambiguous, then the reply not kept", false, false, []Ending{is(EndCutOff), is(EndReplyNotKept)}, yes},
		{"expired, fresh", false, false, []Ending{is(EndKeyExpired)}, no},
		{"expired, the caller's own key", false, true, []Ending{is(EndKeyExpired)}, unknown},
		{"expired, sent before", true, false, []Ending{is(EndKeyExpired)}, unknown},
		{"expired after an ambiguous attempt", false, false, []Ending{is(EndCutOff), is(EndKeyExpired)}, unknown},
		{"reused, fresh", false, false, []Ending{is(EndKeyReused)}, unknown},
		{"reused, the caller's own key", false, true, []Ending{is(EndKeyReused)}, unknown},
		{"reused, whatever the flag says", false, true, []Ending{safeKey(EndKeyReused)}, unknown},
		{"outcome unknown", false, false, []Ending{is(EndOutcomeUnknown)}, unknown},
		{"not saved, then the store is away", false, false, []Ending{is(EndReplyNotSaved), is(EndStoreUnavailable)}, unknown},
		{"the store is away", false, false, []Ending{is(EndStoreUnavailable), is(EndStoreUnavailable)}, no},
		{"in progress, then refused", false, false, []Ending{is(EndInProgress), is(EndNotSent)}, unknown},
		{"401 to the last of several silent copies", false, false, []Ending{{End: EndUnauthorized, Sends: 3}}, unknown},
	} {
		h := NewHistory(processStart, c.before)
		h.begin()
		r := run{op: Operation{History: h}, proof: Clear}
		for _, e := range c.endings {
			r.proof = rowOf(e.End).proof(e, !c.own)
			r.doubt = r.doubt || r.proof == Doubtful
		}
		if got := r.close(r.proof); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSendsOfOneOperationShareTheirDoubt(t *testing.T) {
	h := NewHistory(processStart, false)
	h.begin()
	h.begin()
	if got := h.end(Clear); got != onceward.Unknown {
		t.Errorf("one was refused while another is still under way: %v", got)
	}
	if got := h.end(Clear); got != onceward.NotExecuted {
		t.Errorf("both were refused: %v", got)
	}
	h.begin()
	h.end(Doubtful)
	h.begin()
	if got := h.end(Clear); got != onceward.Unknown {
		t.Errorf("refused after a doubtful send: %v", got)
	}
	h.begin()
	h.end(Proven)
	h.begin()
	if got := h.end(Clear); got != onceward.Executed {
		t.Errorf("refused after the record had answered: %v", got)
	}
}
