package faults

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// maxLogged is how many bytes of a path or a method an Event keeps.
const maxLogged = 200

// An Event says that a fault strikes. It holds no key, no body and no time, so that the same seed and the same requests give equal
// events; sort them with [Event.Compare], because goroutines may log in any order. It marshals to JSON.
type Event struct {
	Identity string `json:"identity"` // hash of the request's identity, shortened
	Arrival  uint64 `json:"arrival"`  // of this identity, from 1
	Fault    string `json:"fault"`
	Method   string `json:"method"`
	Path     string `json:"path"` // without the query; clipped when very long
	Detail   string `json:"detail,omitempty"`
	Skipped  bool   `json:"skipped,omitempty"` // the fault did not strike: the request was larger than MaxBody, or did not arrive whole
}

func newEvent(id identity, n uint64, hit planned, r *http.Request) Event {
	return Event{
		Identity: id.String(),
		Arrival:  n,
		Fault:    hit.fault,
		Method:   clip(r.Method),
		Path:     clip(r.URL.Path),
		Detail:   hit.detail,
	}
}

func clip(s string) string {
	if len(s) > maxLogged {
		s = s[:maxLogged]
	}
	return strings.ToValidUTF8(s, "�")
}

// Compare orders events by identity, arrival and fault, and then by the rest, as cmp.Compare does.
func (e Event) Compare(f Event) int {
	return cmp.Or(
		cmp.Compare(e.Identity, f.Identity),
		cmp.Compare(e.Arrival, f.Arrival),
		cmp.Compare(e.Fault, f.Fault),
		cmp.Compare(e.Method, f.Method),
		cmp.Compare(e.Path, f.Path),
		cmp.Compare(e.Detail, f.Detail),
	)
}

// String returns one line.
func (e Event) String() string {
	s := fmt.Sprintf("%s #%d %s %q: %s", e.Identity, e.Arrival, e.Method, e.Path, e.Fault)
	if e.Detail != "" {
		s += " " + e.Detail
	}
	if e.Skipped {
		s += " (skipped)"
	}
	return s
}
