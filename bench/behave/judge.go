package behave

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/onceward/onceward/bench/behave/contract"
)

// once is empty if the operation took effect exactly once, else it says what happened.
func (p *Probe) once(a ask) string { return p.effects(a, 1) }

func (p *Probe) effects(a ask, want int) string {
	switch got := p.entry(a.Script.Op).Effects; {
	case got == want:
		return ""
	case got < 0:
		return "the ledger does not answer"
	case got == 0:
		return "it took no effect"
	case want == 0:
		return "it took effect"
	case want == 1 && got > 2:
		return "it took effect more than twice"
	case want == 1:
		return "it took effect twice"
	default:
		return fmt.Sprintf("it took effect %d times, not %d", got, want)
	}
}

// message are headers of one message or connection. Nobody expects them in a replay.
var message = []string{"Date", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Trailer", "Server"}

// differs says in what a reply is not as the other, by the names of headers and trailers that the bare handler has set; "" if it is.
func differs(got, want, bare answer) string {
	switch {
	case got.Err != nil && want.Err == nil:
		return "it is " + got.String()
	case got.Status != want.Status:
		return fmt.Sprintf("it is a %d, not the %d", got.Status, want.Status)
	case got.Body != want.Body:
		return "its body is another"
	}
	for _, name := range slices.Sorted(maps.Keys(bare.Header)) {
		if !slices.Contains(message, name) && !slices.Equal(got.Header[name], want.Header[name]) {
			return fmt.Sprintf("%s is %s, not %s", name, shown(got.Header[name]), shown(want.Header[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bare.Trailer)) {
		if !slices.Equal(got.Trailer[name], want.Trailer[name]) {
			return fmt.Sprintf("trailer %s is %s, not %s", name, shown(got.Trailer[name]), shown(want.Trailer[name]))
		}
	}
	return ""
}

func shown(values []string) string {
	if len(values) == 0 {
		return "missing"
	}
	return "“" + strings.Join(values, "”, “") + "”"
}

// receipt reads the first receipt in a reply's body.
func (a answer) receipt() (contract.Receipt, bool) {
	line, _, _ := strings.Cut(a.Body, "\n")
	var r contract.Receipt
	return r, json.Unmarshal([]byte(line), &r) == nil && r.Op != ""
}

// replyOf says why a reply is not that of the operation's first run; "" if it is.
func (a ask) replyOf(got answer) string {
	r, ok := got.receipt()
	switch {
	case got.Err != nil:
		return got.String()
	case !ok:
		return got.String() + " without the reply"
	case r.Op != a.Script.Op || r.Principal != a.Principal || r.Method != a.method() || r.Path != a.path() || r.Sum != contract.Sum(a.body()):
		return "the reply of another request"
	case r.Run != 1:
		return "the reply of a second run"
	case got.Status != a.wantStatus():
		return fmt.Sprintf("a %d with the reply", got.Status)
	}
	return ""
}

func (a ask) wantStatus() int {
	if a.Script.Status == 0 {
		return http.StatusCreated
	}
	return a.Script.Status
}

// settled judges the end of an operation whose first send was lost on its way: the retry has the reply, and there is one effect.
func (p *Probe) settled(a ask) Verdict {
	got := p.persist(a)
	if fault := p.once(a); fault != "" {
		return failed("%s", fault)
	}
	if fault := a.replyOf(got); fault != "" {
		return failed("the retry gets %s", fault)
	}
	return pass()
}
