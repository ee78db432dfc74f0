package oncehttp

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/onceward/onceward/retry"
)

// FuzzReplyEnding: a refusal of this protocol is never taken for a handler's answer, whoever has written it, and only it can say that a new key is safe.
func FuzzReplyEnding(f *testing.F) {
	for _, body := range []string{
		`{"type":"` + ProblemBase + `outcome-unknown","status":409,"safe_new_key":false}`, `{"type":"` + ProblemBase + `not-executed","status":409,"safe_new_key":true}`,
		`{"type":"` + ProblemBase + `outcome-unknown","status":"409"}`, `{"type":"` + ProblemBase + `not-executed","safe_new_key":"true"}`, `{"title":1,"type":"` + ProblemBase + `in-progress"}`,
		`{"type":"` + ProblemBase + `from-the-future","safe_new_key":true}`, `{"type":"` + ProblemBase + `"}`, `{"type":"about:blank","safe_new_key":true}`, `{"TYPE":"` + ProblemBase + `internal"}`,
		`{"type":1}`, `{"type":null}`, `[]`, `null`, `1`, `{`, ``, `{} {}`, "\x1f\x8b", compressed(`{"type":"` + ProblemBase + `in-progress"}`), compressed(strings.Repeat(" ", maxProblem) + `{}`),
	} {
		f.Add(409, ProblemType, "", "", "", body)
		f.Add(503, ProblemType+"; charset=utf-8", "gzip", "", "true", body)
		f.Add(200, "application/json", "GZIP", OutcomeSaved, "True", body)
		f.Add(400, "Application/Problem+JSON;x", "br", OutcomeDoubted, "", body)
		f.Add(0, ProblemType, "identity", "unheard-of", "", body)
	}
	f.Fuzz(func(t *testing.T, status int, media, encoding, outcome, replay, body string) {
		h := http.Header{"Content-Type": {media}, "Content-Encoding": {encoding}, HeaderOutcome: {outcome}, HeaderReplayed: {replay}}
		e := replyEnding(&http.Response{StatusCode: status, Header: h}, []byte(body))
		if e.End == 0 || (e.Err == nil) != (e.End == retry.EndSaved || e.End == retry.EndReplayed || e.End == retry.EndSuccess) {
			t.Fatalf("end %v, %v", e.End, e.Err)
		}
		marked := outcome == OutcomeSaved || outcome == OutcomeFreed || outcome == OutcomeDoubted
		kind, _, err := mime.ParseMediaType(media)
		isProblem := err == nil && kind == ProblemType && !marked
		text := string(plain(h, []byte(body)))
		if len(text) > max(len(body), maxProblem) {
			t.Fatalf("%d bytes have become %d", len(body), len(text))
		}
		if e.SafeNewKey && (!isProblem || !strings.Contains(text, "true")) {
			t.Fatalf("a new key is safe, says %+q of type %+q", text, media)
		}
		var reply *ReplyError
		if errors.As(e.Err, &reply) && reply.name != "" && problemEnds[reply.name] == 0 && reply.name != "a problem that this build does not know" {
			t.Fatalf("a stranger's text is in the error: %v", e.Err)
		}
		if !isProblem || !json.Valid([]byte(text)) {
			return
		}
		if answer := e.End == retry.EndSuccess || e.End == retry.EndRefusal || e.End == retry.EndFailure || e.End == retry.EndReplayed; answer && ofOurs(text) {
			t.Fatalf("%d with %+q is the handler's answer: %v", status, text, e.End)
		}
	})
}

// ofOurs looks for the type of a problem without minding the other members.
func ofOurs(text string) bool {
	var p struct{ Type json.RawMessage }
	var name string
	return json.Unmarshal([]byte(text), &p) == nil && json.Unmarshal(p.Type, &name) == nil && strings.HasPrefix(name, ProblemBase)
}

func compressed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}
