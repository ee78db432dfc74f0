package storetest

import (
	"bytes"
	"maps"
	"slices"

	"github.com/onceward/onceward/store"
)

// table is the state of a store as plain maps. The random sequences use it as their model, [Reference] as its memory.
type table struct {
	records map[store.ID]store.Record
	marks   map[store.Token]store.Time // until when a released token is dead
	sealed  map[string]store.Time      // the watermark of each service
	trail   []store.Entry
}

func newTable() *table {
	return &table{records: map[store.ID]store.Record{}, marks: map[store.Token]store.Time{}, sealed: map[string]store.Time{}}
}

func (t *table) env(who store.Identity, token store.Token, now store.Time) store.Env {
	until, marked := t.marks[token]
	return store.Env{Now: now, Watermark: t.sealed[who.Service], Dead: marked && now <= until}
}

// write carries out a step.
func (t *table) write(who store.Identity, token store.Token, s store.Step, mark markRule) {
	switch s.Write {
	case store.Put:
		r := s.Answer.Record
		r.Reply = bytes.Clone(r.Reply) // the caller keeps its slice
		t.records[who.ID] = r
	case store.Remove:
		delete(t.records, who.ID)
	}
	if s.Mark != 0 {
		t.marks[token] = mark(t.marks[token], s.Mark)
	}
	if s.Entry != nil {
		t.trail = append(t.trail, *s.Entry)
	}
}

// markRule says until when a token stays dead that is released again. A mark is never shortened.
type markRule func(have, until store.Time) store.Time

func laterMark(have, until store.Time) store.Time { return max(have, until) }

// class returns the records of a class at now, oldest first, equally old ones by id.
func (t *table) class(c store.Class, now store.Time) []store.Record {
	return t.sorted(func(r store.Record) bool { return store.ClassOf(r, now) == c })
}

// purgeable returns the records whose time is over at now, those first that have been for the longest.
func (t *table) purgeable(now store.Time, over func(store.Record, store.Time) bool) []store.Record {
	return t.sorted(func(r store.Record) bool { return over(r, now) })
}

func (t *table) sorted(pick func(store.Record) bool) []store.Record {
	out := slices.DeleteFunc(slices.Collect(maps.Values(t.records)), func(r store.Record) bool { return !pick(r) })
	slices.SortFunc(out, older)
	return out
}

func older(a, b store.Record) int {
	if d := when(a) - when(b); d != 0 {
		return int(d)
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// count counts the records of a service; of all with "".
func (t *table) count(service string, now store.Time) store.Stats {
	s := store.Stats{Watermark: t.sealed[service], Now: now}
	for _, r := range t.records {
		switch {
		case service != "" && r.Service != service:
		case r.State == store.Done:
			s.Done++
		case r.Unknown(now):
			s.Unknown++
			if s.OldestUnknown == 0 || r.Lease < s.OldestUnknown {
				s.OldestUnknown = r.Lease
			}
		case r.State == store.Claimed:
			s.Claimed++
		default:
			s.Started++
		}
	}
	return s
}
