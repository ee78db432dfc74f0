package simulation

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/onceward/onceward/oncehttp"
)

// overheard adds to the history what a copy was answered: no client waits for it, but it has to be as true as any reply.
// A reply that did not come in one piece is let go.
func (w *world) overheard(label string, request, reply []byte, began int64) {
	operation := operationIn(request)
	intent, key, known := w.lookup(operation)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(reply)), nil)
	if !known || err != nil {
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	out := replied(resp, body)
	if out.end == endUnknown {
		return
	}
	w.saw("overheard: " + out.end)
	w.note(operation, "%s was answered: %s %.40q", label, out.end, out.reply)
	in := input{kind: sent, intent: intent, key: key, how: "copy", other: strings.Contains(string(request), changed)}
	w.add(operatorID+2, in, out, began)
}

// replied says what one reply tells, as far as it tells it of the operation and not only of this call.
func replied(resp *http.Response, body []byte) output {
	if resp.Header.Get(oncehttp.HeaderOutcome) == oncehttp.OutcomeSaved {
		return output{end: endAnswered, reply: fmt.Sprint(resp.StatusCode, " ", string(body)), effect: effectIn(body)}
	}
	var problem oncehttp.Problem
	if resp.Header.Get("Content-Type") != oncehttp.ProblemType || json.Unmarshal(body, &problem) != nil {
		return output{end: endUnknown}
	}
	switch name := strings.TrimPrefix(problem.Type, oncehttp.ProblemBase); {
	case problem.SafeNewKey:
		return output{end: endNotExecuted}
	case name == "not-executed":
		return output{end: endRecordNotExecuted}
	case name == "outcome-unknown":
		return output{end: endRecordUnknown}
	case name == "reply-not-kept":
		return output{end: endNotKept}
	}
	return output{end: endUnknown}
}
