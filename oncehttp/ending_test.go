package oncehttp

import (
	"net/http"
	"testing"

	"github.com/onceward/onceward/retry"
)

func TestEveryProblemHasAnEnd(t *testing.T) {
	known := map[string]bool{internalProblem.name: true}
	for _, p := range problems {
		known[p.name] = true
	}
	for name := range known {
		if problemEnds[name] == 0 {
			t.Errorf("the client does not know the problem %s", name)
		}
	}
	for name, end := range problemEnds {
		if !known[name] {
			t.Errorf("no server sends the problem %s", name)
		}
		if end.String() != name {
			t.Errorf("the problem %s is the end %v", name, end)
		}
	}
}

func TestReplyEnding(t *testing.T) {
	problem := `{"type":"` + ProblemBase + `outcome-unknown","status":409,"safe_new_key":false}`
	for _, c := range []struct {
		name              string
		status            int
		outcome, replayed string
		media, body       string
		want              retry.End
	}{
		{"200", 200, "", "", "", "", retry.EndSuccess},
		{"302", 302, "", "", "", "", retry.EndRedirect},
		{"404", 404, "", "", "", "", retry.EndRefusal},
		{"401", 401, "", "", "", "", retry.EndUnauthorized},
		{"407", 407, "", "", "", "", retry.EndUnauthorized},
		{"408", 408, "", "", "", "", retry.EndGateway},
		{"425", 425, "", "", "", "", retry.EndTooEarly},
		{"429", 429, "", "", "", "", retry.EndTooMany},
		{"500", 500, "", "", "", "", retry.EndFailure},
		{"502", 502, "", "", "", "", retry.EndGateway},
		{"503", 503, "", "", "", "", retry.EndUnavailable},
		{"504", 504, "", "", "", "", retry.EndGateway},
		{"999", 999, "", "", "", "", retry.EndOddStatus},
		{"saved 503", 503, OutcomeSaved, "", "", "", retry.EndSaved},
		{"a replayed 500 of another make", 500, "", "true", "", "", retry.EndReplayed},
		{"freed 404", 404, OutcomeFreed, "", "", "", retry.EndFreed},
		{"freed 425", 425, OutcomeFreed, "", "", "", retry.EndFreedTransient},
		{"freed 429", 429, OutcomeFreed, "", "", "", retry.EndFreedOverload},
		{"doubted 200", 200, OutcomeDoubted, "", "", "", retry.EndDoubted},
		{"doubted 503", 503, OutcomeDoubted, "", "", "", retry.EndDoubtedOverload},
		{"a problem", 409, "", "", ProblemType, problem, retry.EndOutcomeUnknown},
		{"a problem with parameters", 409, "", "", ProblemType + "; charset=utf-8", problem, retry.EndOutcomeUnknown},
		{"a problem out of the record", 409, "", "true", ProblemType, problem, retry.EndOutcomeUnknown},
		{"another server's problem, saved", 409, OutcomeSaved, "", ProblemType, problem, retry.EndSaved},
		{"the same, replayed", 409, OutcomeSaved, "true", ProblemType, problem, retry.EndReplayed},
		{"a problem's text of another type", 409, "", "", "application/json", problem, retry.EndRefusal},
		{"a problem of the application", 409, "", "", ProblemType, `{"type":"https://bank.example/broke"}`, retry.EndRefusal},
		{"a problem of the future", 409, "", "", ProblemType, `{"type":"` + ProblemBase + `brand-new"}`, retry.EndProblemUnknown},
		{"a problem out of the record that cannot be read", 409, "", "true", ProblemType, "", retry.EndProblemUnknown},
		{"a problem with a wrong member", 409, "", "", ProblemType, `{"title":1,"type":"` + ProblemBase + `outcome-unknown","status":"409"}`, retry.EndOutcomeUnknown},
		{"a broken problem", 503, "", "", ProblemType, problem[:20], retry.EndUnavailable},
	} {
		h := http.Header{}
		for name, value := range map[string]string{HeaderOutcome: c.outcome, HeaderReplayed: c.replayed, "Content-Type": c.media} {
			if value != "" {
				h.Set(name, value)
			}
		}
		if got := replyEnding(&http.Response{StatusCode: c.status, Header: h}, []byte(c.body)); got.End != c.want {
			t.Errorf("%s: %v, want %v", c.name, got.End, c.want)
		}
	}
}
