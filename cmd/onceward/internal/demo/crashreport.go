package demo

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/onceward/onceward"
)

// CrashReport is what [RunCrash] has shown. Its JSON is for programs; its names stay.
//
// The same seed gives the same transfers and the same kills. What a kill meets besides the transfer that is held for it depends on the machine.
type CrashReport struct {
	Seed     uint64     `json:"seed"`
	Wanted   int        `json:"wanted"` // transfers, each once
	Clients  int        `json:"clients"`
	Kills    Kills      `json:"kills"`
	Onceward CrashTally `json:"onceward"`
}

// Kills counts SIGKILLs, each while the bank was in the middle of a transfer.
type Kills struct {
	Proxy    int `json:"proxy"`
	Upstream int `json:"upstream"`
	Both     int `json:"both"` // at once
}

// CrashTally is what the run has shown. Effects are counted in the bank's ledger when its process has ended.
type CrashTally struct {
	Effects       int      `json:"effects"`        // rows of the ledger
	Doubled       int      `json:"doubled"`        // transfers with more than one row
	Answered      int      `json:"answered"`       // transfers whose client has the bank's reply
	Unknown       int      `json:"unknown"`        // operations that were listed as unknown when all was up and quiet, before they were resolved
	NotExecuted   int      `json:"not_executed"`   // transfers of which a client was told, by nobody's resolution, that nothing took effect, and which it gave up
	InFlight      int      `json:"in_flight"`      // requests under way at the kills, all kills together: more cannot be unknown
	FatesWrong    int      `json:"fates_wrong"`    // transfers of which a client was told something that the ledger contradicts
	RepliesDiffer int      `json:"replies_differ"` // replies that were not the first one; all that was answered is asked for again at the end
	Unlisted      int      `json:"unlisted"`       // clients that cannot tell although nothing is listed as unknown, and the other way round
	Resolved      Resolved `json:"resolved"`       // by `onceward keys resolve`
	UnknownLeft   int      `json:"unknown_left"`   // that are listed after that, or whose client still cannot tell
	Replays       int      `json:"replays"`        // replies from the record
	Seconds       float64  `json:"seconds"`        // the whole run
}

// Resolved counts what was found out about unknown operations.
type Resolved struct {
	Happened     int `json:"happened"`
	DidNotHappen int `json:"did_not_happen"`
}

// tally counts when everything has ended.
func (c *crash) tally(rows []entry, f findings, inFlight int) CrashTally {
	result := CrashTally{
		Effects: len(rows), Unknown: len(f.listed) + f.strange, InFlight: inFlight, FatesWrong: wrongFates(c.told.given(), rows),
		RepliesDiffer: c.crowd.differ, Unlisted: f.strange, Resolved: f.resolved, UnknownLeft: f.left, Replays: c.crowd.replays,
	}
	times := map[int]int{}
	for _, row := range rows {
		times[row.transfer.number]++
	}
	for _, n := range times {
		if n > 1 {
			result.Doubled++
		}
	}
	for _, t := range c.orders {
		w := c.crowd.wishes[t.number]
		switch {
		case w == nil || w.fate == onceward.Unknown && f.listed[t.number]:
			result.UnknownLeft++
		case w.fate == onceward.Unknown:
			result.Unlisted++
		case w.reply != "":
			result.Answered++
		case w.fate == onceward.NotExecuted && !f.listed[t.number]:
			result.NotExecuted++
		}
	}
	return result
}

// Verdict is nil if nothing was done twice, nothing that was answered is lost, and all that nobody could tell was listed and resolved.
func (r CrashReport) Verdict() error {
	var wrong []error
	o := r.Onceward
	if o.Doubled != 0 || o.FatesWrong != 0 || o.RepliesDiffer != 0 || o.Effects+o.Unknown+o.NotExecuted < r.Wanted {
		wrong = append(wrong, fmt.Errorf("%w: %d doubled, %d fates told wrongly, %d replies differ, and %d effects, %d unknown and %d not executed for %d transfers; this is a bug, please report it with the seed %d",
			ErrWrong, o.Doubled, o.FatesWrong, o.RepliesDiffer, o.Effects, o.Unknown, o.NotExecuted, r.Wanted, r.Seed))
	}
	if o.Unlisted != 0 || o.UnknownLeft != 0 || o.Unknown > o.InFlight {
		wrong = append(wrong, fmt.Errorf("%w: %d unlisted, %d left after they were resolved, and %d were unknown although only %d were under way at the kills; this is a bug, please report it with the seed %d",
			ErrOpen, o.Unlisted, o.UnknownLeft, o.Unknown, o.InFlight, r.Seed))
	}
	if kills := r.Kills.Proxy + r.Kills.Upstream + r.Kills.Both; o.Unknown < kills {
		wrong = append(wrong, fmt.Errorf("%w: %d of %d kills left something unknown", errNoKill, o.Unknown, kills))
	}
	return errors.Join(wrong...)
}

var errNoKill = errors.New("the kills met nothing, so that this demo shows nothing")

// Text writes the report for a person. No line is longer than 100 columns.
func (r CrashReport) Text(w io.Writer) error {
	var b strings.Builder
	o := r.Onceward
	fmt.Fprintf(&b, `A bank is asked for %s, by %s, through onceward proxy.
Bank and proxy are processes of their own. SIGKILL hits the proxy %s, the bank %s,
and both at once %s, each time in the middle of a transfer; --seed %d repeats them.
What happened is counted in the bank's ledger, which does not deduplicate.

`, plural(r.Wanted, "transfer"), plural(r.Clients, "client"), plural(r.Kills.Proxy, "time"), plural(r.Kills.Upstream, "time"), plural(r.Kills.Both, "time"), r.Seed)
	for _, l := range []struct {
		name  string
		count int
	}{
		{"transfers wanted", r.Wanted},
		{"transfers in the bank's ledger", o.Effects},
		{"", 0},
		{"  made more than once", o.Doubled},
		{"  answered by the bank", o.Answered},
		{"replies that differ from the first", o.RepliesDiffer},
		{"reports that the ledger contradicts", o.FatesWrong},
		{"", 0},
		{"requests under way at the kills", o.InFlight},
		{"listed as unknown afterwards", o.Unknown},
		{"  found in the ledger, resolved as happened", o.Resolved.Happened},
		{"  not found, resolved as not happened", o.Resolved.DidNotHappen},
		{"  still unknown", o.UnknownLeft},
		{"answered from the record (replays)", o.Replays},
	} {
		if l.name == "" {
			b.WriteString("\n")
			continue
		}
		fmt.Fprintf(&b, "  %-46s %12s\n", l.name, group(int64(l.count)))
	}
	fmt.Fprintf(&b, "  %-46s %12s\n\n", "the whole run", seconds(o.Seconds))
	if r.Verdict() == nil {
		b.WriteString("Nothing was done twice, nothing that was answered is lost, and what nobody could tell was listed.\n")
	}
	b.WriteString("Read next: docs/proxy.md, and docs/operations.md about unknown operations.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
