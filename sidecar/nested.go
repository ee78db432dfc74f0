package sidecar

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/onceward/onceward/oncehttp"
)

// openProblems are those that tell of a moment and not of the operation's end. Not store-unavailable: it says that this send was not executed, and a route
// may call its 503 free; by default it is a doubt as well.
var openProblems = []string{"in-progress", "outcome-unknown", "reply-not-saved"}

// stillOpen reports whether another guard, in the upstream, says that it has no answer yet. Kept as the reply, that would be the answer for ever,
// whatever becomes of the operation there. What a guard passes on of its handler's has an outcome.
func stillOpen(h http.Header, body []byte) bool {
	if h.Get(oncehttp.HeaderWindow) == "" || h.Get(oncehttp.HeaderOutcome) != "" {
		return false
	}
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || media != oncehttp.ProblemType {
		return false
	}
	var p oncehttp.Problem
	if json.Unmarshal(body, &p) != nil {
		return false
	}
	name, ok := strings.CutPrefix(p.Type, oncehttp.ProblemBase)
	return ok && slices.Contains(openProblems, name)
}
