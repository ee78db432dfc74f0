package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/onceward/onceward/store"
)

// want ends the case unless the answer has the verdict. Its record is returned for further questions.
func (w *world) want(a store.Answer, v store.Verdict) store.Record {
	w.Helper()
	if a.Verdict != v {
		w.Fatalf("answered %v, want %v; the record is %s", a.Verdict, v, sketch(a.Record))
	}
	return a.Record
}

// wantState fails unless the record is in the state.
func (w *world) wantState(r store.Record, s store.State) {
	w.Helper()
	if r.State != s {
		w.Errorf("the record is %s, want it %v", sketch(r), s)
	}
}

// same fails unless the store still has exactly this record.
func (w *world) same(r store.Record) {
	w.Helper()
	if d := diff(w.get(r.Identity).Record, r); d != "" {
		w.Errorf("the record in the store is another than it should be: %s", d)
	}
}

// absent fails unless the store has no record.
func (w *world) absent(who store.Identity) {
	w.Helper()
	if r := w.get(who).Record; r.State != store.Absent {
		w.Errorf("there is a record, %s; want none", sketch(r))
	}
}

func expect[V comparable](w *world, what string, got, want V) {
	w.Helper()
	if got != want {
		w.Errorf("%s is %v, want %v", what, got, want)
	}
}

// diff names the fields in which two records differ. Of absent ones only the state counts.
func diff(got, want store.Record) string {
	if got.State == store.Absent && want.State == store.Absent {
		return ""
	}
	var out []string
	g, v := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		name := g.Type().Field(i).Name
		if name == "Reply" {
			if !bytes.Equal(got.Reply, want.Reply) {
				out = append(out, fmt.Sprintf("Reply is %.60q, want %.60q", got.Reply, want.Reply))
			}
			continue
		}
		if a, b := g.Field(i).Interface(), v.Field(i).Interface(); a != b {
			out = append(out, fmt.Sprintf("%s is %v, want %v", name, a, b))
		}
	}
	return strings.Join(out, "; ")
}

// sketch shows what of a record people ask for first.
func sketch(r store.Record) string {
	if r.State == store.Absent {
		return "absent"
	}
	s := fmt.Sprintf("%v(%x) of %s, version %d", r.State, r.Token[:2], label(r.Identity), r.Version)
	if r.Doubted {
		s += ", doubted"
	}
	if r.State == store.Done {
		s += fmt.Sprintf(", %v", r.End)
	}
	return s
}
