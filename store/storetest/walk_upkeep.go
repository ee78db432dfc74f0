package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/onceward/onceward/store"
)

func (k *walk) seal() error {
	service := []string{"orders", "refunds"}[k.rng.IntN(2)]
	until := k.last.Add(-k.some(0, 8))
	k.say("seal %s until %v", service, k.since(until))
	got, err := k.store.Seal(k.ctx, service, until)
	if err != nil {
		return err
	}
	k.model.sealed[service] = max(k.model.sealed[service], until)
	if want := k.model.sealed[service]; got != want {
		return fmt.Errorf("Seal answered the watermark %d, want %d", got, want)
	}
	return nil
}

// purge lets the store choose which of the removable records it removes, and holds it to the rest.
func (k *walk) purge() error {
	q := store.PurgeRequest{Limit: []int{1, 2, 1000}[k.rng.IntN(3)]}
	res, err := k.store.Purge(k.ctx, q)
	k.say("purge limit %d → removed %d, more %v", q.Limit, res.Removed, res.More)
	switch {
	case err != nil:
		return err
	case res.Removed > q.Limit && !k.h.PurgeWhole || res.More && res.Removed < q.Limit:
		return fmt.Errorf("P1: the limit is %d, removed %d, more %v", q.Limit, res.Removed, res.More)
	}
	removed := 0
	for _, r := range k.model.sorted(func(store.Record) bool { return true }) {
		a, err := k.store.Get(k.ctx, r.Identity)
		switch {
		case err != nil:
			return err
		case a.Record.State != store.Absent:
			if r.State == store.Done && !res.More && res.Now >= r.PurgeAt.Add(k.h.PurgeLag) {
				return fmt.Errorf("P1: %s should be removed, its time was over at %v", sketch(r), k.since(r.PurgeAt))
			}
			continue
		case !r.Purgeable(res.Now):
			return fmt.Errorf("P1: removed %s before its time, or open", sketch(r))
		}
		removed++
		delete(k.model.records, r.ID)
		if r.Stamp != 0 {
			k.model.sealed[r.Service] = max(k.model.sealed[r.Service], r.Stamp)
		}
	}
	if removed != res.Removed {
		return fmt.Errorf("Purge answered that it removed %d, it removed %d", res.Removed, removed)
	}
	k.last = max(k.last, res.Now)
	return k.counts()
}

// audit compares everything.
func (k *walk) audit() error {
	k.say("audit")
	for _, r := range k.model.sorted(func(store.Record) bool { return true }) {
		if err := k.look(r.Identity); err != nil {
			return err
		}
	}
	if got := k.trail(store.ID{}); !slices.Equal(got, k.model.trail) {
		return fmt.Errorf("T1: the trail is\n%+v, want\n%+v", got, k.model.trail)
	}
	for class := store.ClassUnknown; class <= store.ClassDone; class++ {
		if class == store.ClassDone && !k.h.Traits.ListsDone {
			continue
		}
		if err := k.listed(class); err != nil {
			return err
		}
	}
	return k.counts()
}

// listed compares one long page: it shows the class at one moment.
func (k *walk) listed(class store.Class) error {
	p, err := k.store.List(k.ctx, store.ListRequest{Class: class, Limit: store.MaxPage})
	if err != nil {
		return err
	}
	want := k.model.class(class, p.Now)
	if len(p.Records) != len(want) {
		return fmt.Errorf("L1: %d records are listed as %v, want %d", len(p.Records), class, len(want))
	}
	got := slices.Clone(p.Records)
	slices.SortFunc(got, older)
	for i, r := range want {
		r.Reply = nil
		if d := diff(got[i], r); d != "" {
			return fmt.Errorf("L1: listed as %v, but %s", class, d)
		}
		if when(p.Records[i]) != when(r) {
			return fmt.Errorf("L1: the records listed as %v are not oldest first", class)
		}
	}
	return nil
}

func (k *walk) counts() error {
	for _, service := range []string{"", "orders", "refunds"} {
		got, err := k.store.Stats(k.ctx, service)
		if err != nil {
			return err
		}
		want := k.model.count(service, got.Now)
		got.Bytes, got.MaxRecords, got.MaxBytes = 0, 0, 0
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("Stats of %q are %+v, want %+v", service, got, want)
		}
	}
	return nil
}

func (k *walk) reopen(name string, with func(testing.TB, store.Store) store.Store) error {
	if with == nil {
		k.say("(no %s)", name)
		return nil
	}
	k.say("%s", name)
	k.again(with)
	return k.audit()
}
