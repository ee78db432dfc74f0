package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

// columnsOf are the first columns of a listing's lines: state and age.
func columnsOf(text string) (out []string) {
	for _, line := range lines(text)[1:] {
		fields := strings.Fields(line)
		out = append(out, fields[0]+" "+fields[1])
	}
	return out
}

func TestKeysListShowsProblemsFirst(t *testing.T) {
	stations(t, func(t *testing.T, s *station) {
		var unknown, open []string
		for i := range 7 {
			who := []string{"alice", "bob"}[i%2]
			_, claim := s.claimed(who)
			_, held := s.unknown(who)
			open, unknown = append(open, claim), append(unknown, held)
		}
		s.call("carol", minted(t), pays)
		ids := func(args ...string) (out []string) {
			for _, line := range lines(keys(t, append([]string{"list", "-o", "jsonl"}, args...)...).ends(t, 0).out) {
				if line != "" {
					out = append(out, decode[oncehttp.AdminRecord](t, line).ID)
				}
			}
			return out
		}
		same := func(what string, got []string, want ...string) {
			t.Helper()
			got = slices.Sorted(slices.Values(got))
			want = slices.Sorted(slices.Values(want))
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d operations, want %d: %q", what, len(got), len(want), got)
			}
		}
		all := ids()
		same("the first seven", all[:min(7, len(all))], unknown...)
		same("all", all, slices.Concat(unknown, open)...)
		same("unknown", ids("--state", "unknown"), unknown...)
		same("open", ids("--state", "open"), open...)
		same("bob's unknown ones", ids("--state", "unknown", "--principal", "bob"), unknown[1], unknown[3], unknown[5])
		same("another service's", ids("--service", "orders"))
		same("an hour old", ids("--older-than", "1h"))
		if done := ids("--state", "done"); len(done) != 1 {
			t.Errorf("done: %q", done)
		}

		// Parts, one after the other, are the whole.
		var parts []string
		cursor := ""
		for range 20 {
			page := decode[oncehttp.AdminPage](t, keys(t, "list", "-o", "json", "--limit", "3", "--cursor", cursor).ends(t, 0).out)
			if len(page.Records) > 3 {
				t.Errorf("%d operations, the limit is 3", len(page.Records))
			}
			for _, r := range page.Records {
				parts = append(parts, r.ID)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		same("all parts", parts, all...)
		o := keys(t, "list", "--limit", "3").ends(t, 0)
		if n := len(lines(o.out)); n != 4 || !strings.Contains(o.notes, "--cursor ") {
			t.Errorf("%d lines, notes %q", n, o.notes)
		}
		if o := keys(t, "list", "--limit", "3", "--all").ends(t, 0); len(lines(o.out)) != 15 || o.notes != "" {
			t.Errorf("--all: %d lines, notes %q", len(lines(o.out)), o.notes)
		}
	})
}

// More than a page of the API is read page by page, and a list is as long as was asked for.
func TestKeysListGoesOverPages(t *testing.T) {
	s := memoryStation(t)
	const many = 1100
	for range many {
		s.claimed("alice")
	}
	for limit, want := range map[string]int{"1050": 1050, "5000": many} {
		if o := keys(t, "list", "-o", "jsonl", "--limit", limit).ends(t, 0); len(lines(o.out)) != want {
			t.Errorf("--limit %s: %d lines, want %d", limit, len(lines(o.out)), want)
		}
	}
}

// Ages are by the store's clock, which is a year ahead of this machine's.
func TestKeysAgesAreTheStores(t *testing.T) {
	clock := newTick(time.Date(2030, 11, 25, 10, 0, 0, 0, time.UTC))
	s := newStation(t, memstore.New(memstore.Config{Clock: clock.now}), onceward.Config{})
	old, _ := onceward.TypeID{Clock: clock.now}.Mint()
	s.call("alice", old.Text(), wavers)
	clock.pass(90 * time.Minute)
	young, _ := onceward.TypeID{Clock: clock.now}.Mint()
	s.call("alice", young.Text(), wavers)
	clock.pass(30 * time.Minute)
	if got := columnsOf(keys(t, "list").ends(t, 0).out); !slices.Equal(got, []string{"unknown 2h00m", "unknown 30m"}) {
		t.Errorf("all: %q", got)
	}
	if got := columnsOf(keys(t, "list", "--older-than", "45m").ends(t, 0).out); !slices.Equal(got, []string{"unknown 2h00m"}) {
		t.Errorf("older than 45m: %q", got)
	}
	for age, want := range map[time.Duration]string{1500 * time.Millisecond: "1s", 59 * time.Minute: "59m", 47*time.Hour + 5*time.Minute: "47h05m", 49 * time.Hour: "2d01h", -time.Second: "0s"} {
		seen := time.UnixMilli(0)
		if got := ageOf(oncehttp.AdminRecord{FirstSeen: &seen}, seen.Add(age)); got != want {
			t.Errorf("%v is %q, want %q", age, got, want)
		}
	}
}

// Whoever calls chooses its name, and a caller's key and a reply come from outside too: none of it may move a terminal's cursor.
func TestKeysTextIsHarmless(t *testing.T) {
	s := memoryStation(t)
	evil := "al\u202eice\x1b[2J"
	key := minted(t)
	if status := s.direct(evil, key, "\x1b]0;owned\a\n\u202egpj.exe\n"); status != "" {
		t.Fatal(status)
	}
	s.heldDirect(evil)
	id := idOf(t, evil, key)
	for _, args := range [][]string{{"list"}, {"list", "--state", "done"}, {"show", id, "--reply"}} {
		o := keys(t, args...).ends(t, 0)
		if o.out == "" || regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x{202e}]`).MatchString(o.out) || !strings.Contains(o.out, `al\u202eice\x1b[2J`) {
			t.Errorf("keys %v: %q", args, o.out)
		}
	}
	s.front = nil
	s.refuses(409, "\x1b[31mred\nsecond line")
	o := keys(t, "show", id).ends(t, exitConflict)
	if text := fmt.Sprint(o.err); strings.ContainsAny(text, "\x1b\n") {
		t.Errorf("the server's words: %q", text)
	}
}
