package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
)

// showing writes one operation with its life.
func (p *printer) showing(s oncehttp.AdminShowing) error {
	if p.format != formatText {
		return p.document(s)
	}
	var b strings.Builder
	writeName(&b, s.Record)
	writeLife(&b, s)
	if s.Record.Reply != nil {
		writeReply(&b, s.Record.Reply)
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}

// means says what a state is for whoever looks.
func means(r oncehttp.AdminRecord) string {
	switch r.State {
	case "absent":
		if r.Sealed {
			return "there is no record of it, and its key is never admitted again"
		}
		return "there is no record of it"
	case "claimed":
		if r.Lapsed {
			return "its owner is gone and never started; the next call takes it over"
		}
		return "its owner has not started yet"
	case "started":
		return "its owner is at work"
	case "unknown":
		if r.Policy == "rerun" {
			return "it started and left no reply; the next call runs it again"
		}
		return "it started and left no reply; it is held until its late owner or a person settles it"
	}
	switch r.End {
	case "reply":
		return "callers get its reply"
	case "reply-not-kept":
		return "it was executed, and callers are told that its reply was not kept"
	case "not-executed", "cancelled":
		if r.SafeNewKey {
			return "it was not executed, and callers are told that a new key is safe"
		}
		return "callers are told that it was not executed"
	}
	return "this command does not know that state"
}

func writeName(b *strings.Builder, r oncehttp.AdminRecord) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "%-10s %s\n", name, value)
		}
	}
	line("id", plain(r.ID))
	line("service", plain(r.Service))
	line("principal", plain(r.Principal))
	line("key", plain(r.Key))
	line("state", stateOf(r)+": "+means(r))
	if r.Doubted {
		line("doubted", "its start was taken over: an earlier owner may have had its effect")
	}
	if r.Claims > 0 {
		line("claims", fmt.Sprintf("%d", r.Claims))
	}
	if r.Version > 0 {
		line("version", fmt.Sprintf("%d", r.Version))
	}
}

type moment struct {
	at   time.Time
	what string
}

// writeLife tells what is recorded, in its order. Moments of the same time keep the order in which they are put in.
func writeLife(b *strings.Builder, s oncehttp.AdminShowing) {
	r := s.Record
	var life []moment
	add := func(at *time.Time, what string) {
		if at != nil {
			life = append(life, moment{*at, what})
		}
	}
	add(r.MintedAt, "its key was minted")
	add(r.FirstSeen, "first seen")
	lease := "its owner's lease ends, unless it is renewed"
	if r.Lapsed || r.State == "unknown" {
		lease = "its owner's lease was over"
	}
	add(r.LeaseUntil, lease)
	for _, e := range s.Trail {
		what := plain(e.Action)
		if e.Action == store.ActionContradiction.String() {
			what = "CONTRADICTION: its late owner came with a reply, so it did happen; find its effect"
		}
		if e.Actor != "" {
			what += " by " + plain(e.Actor)
		}
		if e.Reason != "" {
			what += ": " + plain(e.Reason)
		}
		life = append(life, moment{e.At, what})
	}
	if r.End != "" {
		add(r.DoneAt, "done: "+plain(r.End))
	}
	add(r.PurgeAt, "may be removed from here on")
	slices.SortStableFunc(life, func(a, b moment) int { return a.at.Compare(b.at) })
	if len(life) > 0 {
		b.WriteString("life\n")
	}
	for _, m := range life {
		fmt.Fprintf(b, "  %s  %s\n", m.at.UTC().Format("2006-01-02T15:04:05.000Z07:00"), m.what)
	}
	b.WriteString("not recorded: earlier owners' times, replays, calls refused for another request. The service's log may have them, by the id\n")
}

// writeReply shows a reply that was asked for.
func writeReply(b *strings.Builder, r *oncehttp.AdminReply) {
	fmt.Fprintf(b, "reply      %d\n", r.Status)
	for _, f := range slices.Concat(r.Header, r.Trailer) {
		fmt.Fprintf(b, "  %s: %s\n", plain(f.Name), plain(f.Value))
	}
	body := r.Body
	if raw, err := base64.StdEncoding.DecodeString(r.BodyBase64); err == nil && len(raw) > 0 {
		body = string(raw)
	}
	fmt.Fprintf(b, "  %d bytes\n", len(body))
	for line := range strings.SplitSeq(strings.TrimSuffix(body, "\n"), "\n") {
		if line != "" {
			line = plain(line)
		}
		fmt.Fprintf(b, "  | %s\n", line)
	}
}
