package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Text writes the report for a person: what was set up, both runs side by side, one transfer's life, and what to read next.
// No line is longer than 100 columns.
func (r Report) Text(w io.Writer) error {
	var b strings.Builder
	r.writeScene(&b)
	r.writeTable(&b)
	r.writeExample(&b)
	r.writeEnd(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) writeScene(b *strings.Builder) {
	fmt.Fprintf(b, `A bank is asked for %s, by %s, over real sockets.
The network loses %g %% of the replies, after the work is done, and %g %% of the requests,
and delivers %g %% of them twice.
Both runs meet the same faults; --seed %d repeats them.
What happened is counted in the bank's ledger, which does not deduplicate.

`, plural(r.Wanted, "transfer"), plural(r.Clients, "client"), percent(r.Loss), percent(requestLoss), percent(duplication), r.Seed)
}

// line is a row of the table.
type line struct{ name, naive, onceward string }

func (r Report) lines() []line {
	n, o := r.Naive, r.Onceward
	count := func(name string, naive, onceward int) line {
		return line{name, group(int64(naive)), group(int64(onceward))}
	}
	none := "–"
	return []line{
		count("transfers wanted", r.Wanted, r.Wanted),
		count("transfers in the bank's ledger", n.Effects, o.Effects),
		{},
		count("  made more than once", n.Doubled, o.Doubled),
		count("  never made", n.Lost, o.Lost),
		{"money from nowhere, coins", group(n.MoneyFromNowhere), group(o.MoneyFromNowhere)},
		count(fmt.Sprintf("accounts with a wrong balance, of %d", accounts), n.AccountsWrong, o.AccountsWrong),
		count("reported as failed", n.GaveUp, o.GaveUp),
		count("reports that the ledger contradicts", n.FatesWrong, o.FatesWrong),
		{"fate still unknown", none, group(int64(o.Unknown))},
		{},
		count("sent again", n.Retries, o.Retries),
		{"answered from the record (replays)", none, group(int64(o.Replays))},
		{"unknown for a while, saved, sent later", none, group(int64(o.UnknownOnTheWay))},
		{"latency, half of the transfers", millis(n.Latency.P50), millis(o.Latency.P50)},
		{"latency, 99 of 100 transfers", millis(n.Latency.P99), millis(o.Latency.P99)},
		{"the whole run", seconds(n.Seconds), seconds(o.Seconds)},
	}
}

func (r Report) writeTable(b *strings.Builder) {
	const form = "  %-42s %16s %16s\n"
	fmt.Fprintf(b, form, "", "naive retries", "with onceward")
	fmt.Fprintf(b, "  %s\n", strings.Repeat("─", 42+1+16+1+16))
	for _, l := range r.lines() {
		if l == (line{}) {
			b.WriteString("\n")
			continue
		}
		fmt.Fprintf(b, form, l.name, l.naive, l.onceward)
	}
	b.WriteString("\n")
}

func (r Report) writeExample(b *strings.Builder) {
	e := r.example
	if len(e.onceward) == 0 {
		return
	}
	fmt.Fprintf(b, "One of them: %s moves %d coins from account %d to account %d, and a reply is lost.\n", e.transfer.name(), e.transfer.amount, e.transfer.from, e.transfer.to)
	for _, life := range []struct {
		title  string
		events []event
		keyed  bool
	}{{"Naive retries", e.naive, false}, {"With onceward", e.onceward, true}} {
		moved := 0
		for _, event := range life.events {
			if event.step == stepMoved {
				moved++
			}
		}
		fmt.Fprintf(b, "\n%s: in the ledger %s\n\n", life.title, plural(moved, "time"))
		for _, row := range drawLife(life.events, life.keyed) {
			b.WriteString(row + "\n")
		}
	}
	b.WriteString("\n")
}

func (r Report) writeEnd(b *strings.Builder) {
	if r.Verdict() == nil {
		fmt.Fprintf(b, "%s were wanted: naive retries made %s of them, onceward made each of them once.\n",
			plural(r.Wanted, "transfer"), group(int64(r.Naive.Effects)))
	}
	b.WriteString("Read next: ARCHITECTURE.md, one request's life in nine steps, and docs/guarantees.md.\n")
}

// group writes thousands with commas.
func group(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return group(int64(n)) + " " + noun + "s"
}

func percent(p float64) float64 { return float64(int(p*1000+0.5)) / 10 }

func millis(ms float64) string { return fmt.Sprintf("%.1f ms", ms) }

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }
