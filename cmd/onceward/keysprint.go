package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/onceward/onceward/cmd/onceward/internal/adminapi"
	"github.com/onceward/onceward/oncehttp"
)

// The formats of --output.
const (
	formatText  = "text"
	formatJSON  = "json"
	formatJSONL = "jsonl"
)

// printer writes answers in one format.
type printer struct {
	format string
	w      io.Writer
	lines  int // of a listing
}

func newPrinter(format string, w io.Writer) (printer, error) {
	if format != formatText && format != formatJSON && format != formatJSONL {
		return printer{}, fmt.Errorf("--output is %q: use text, json or jsonl", format)
	}
	return printer{format: format, w: w}, nil
}

// document writes one answer as JSON.
func (p *printer) document(v any) error {
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	if p.format == formatJSON {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// records writes a page of a listing, a line for each. Text leaves the keys out: an id is enough to go on with.
func (p *printer) records(page oncehttp.AdminPage) error {
	const columns = "%-19s %7s %6s  %-64s  %s  %s\n"
	for _, r := range page.Records {
		var err error
		if p.format == formatJSONL {
			err = p.document(r)
		} else {
			if p.lines == 0 {
				fmt.Fprintf(p.w, columns, "STATE", "AGE", "CLAIMS", "ID", "SERVICE", "PRINCIPAL")
			}
			_, err = fmt.Fprintf(p.w, columns, stateOf(r), ageOf(r, page.Now), strconv.FormatUint(uint64(r.Claims), 10), plain(r.ID), plain(r.Service), plain(r.Principal))
		}
		if err != nil {
			return err
		}
		p.lines++
	}
	return nil
}

// stateOf is a record's state in a word or two.
func stateOf(r oncehttp.AdminRecord) string {
	state := plain(r.State)
	switch {
	case r.End != "":
		state += ":" + plain(r.End)
	case r.Doubted:
		state += ",doubted"
	case r.Lapsed && r.State == "claimed":
		state += ",lapsed"
	case r.Sealed:
		state += ",sealed"
	}
	return state
}

// ageOf is the time since an operation first came, by the store's clock.
func ageOf(r oncehttp.AdminRecord, now time.Time) string {
	if r.FirstSeen == nil || now.IsZero() {
		return "-"
	}
	d := max(now.Sub(*r.FirstSeen), 0)
	hours := int(d.Hours())
	switch {
	case d < time.Minute:
		return d.Truncate(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case hours < 48:
		return fmt.Sprintf("%dh%02dm", hours, int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", hours/24, hours%24)
}

func plain(text string) string { return adminapi.Plain(text) }
