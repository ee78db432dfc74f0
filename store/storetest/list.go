package storetest

import (
	"errors"
	"slices"
	"time"

	"github.com/onceward/onceward/store"
)

var listCases = []Case{
	{"L1_each_class_lists_its_own", l1Classes},
	{"L1_pages_list_each_record_once_oldest_first", l1Pages},
	{"L1_steady_records_are_listed_once_while_others_come_and_go", l1Busy},
	{"L1_filters", l1Filters},
	{"L2_done_is_listed_or_refused", l2},
}

// list reads all pages of a listing; between is called after each page.
func (w *world) list(q store.ListRequest, between func()) (all []store.Record) {
	w.Helper()
	for {
		p, err := w.store.List(w.ctx, q)
		if err != nil {
			w.Fatalf("List %v: %v", q.Class, err)
		}
		if len(p.Records) > q.Limit {
			w.Fatalf("List: a page of %d records, the limit is %d", len(p.Records), q.Limit)
		}
		all = append(all, p.Records...)
		if p.Next == "" {
			return all
		}
		if len(all) > 100_000 {
			w.Fatal("List: the pages do not end")
		}
		q.Cursor = p.Next
		between()
	}
}

func (w *world) listAll(class store.Class, limit int) []store.Record {
	w.Helper()
	return w.list(store.ListRequest{Class: class, Limit: limit}, func() {})
}

// when is the moment by which a class is ordered.
func when(r store.Record) store.Time {
	if r.State == store.Done {
		return r.PurgeAt
	}
	return r.Lease
}

// wantListed fails unless got is want, in any order of records that are equally old, oldest first, replies left out.
func (w *world) wantListed(got []store.Record, want ...store.Record) {
	w.Helper()
	if !slices.IsSortedFunc(got, func(a, b store.Record) int { return int(when(a) - when(b)) }) {
		w.Errorf("the listing is not oldest first")
	}
	left := map[store.ID]store.Record{}
	for _, r := range want {
		r.Reply = nil
		left[r.ID] = r
	}
	for _, r := range got {
		expected, ok := left[r.ID]
		delete(left, r.ID)
		if !ok {
			w.Errorf("listed, and should not be, or twice: %s", sketch(r))
		} else if d := diff(r, expected); d != "" {
			w.Errorf("listed, but %s", d)
		}
	}
	for _, r := range left {
		w.Errorf("not listed: %s", sketch(r))
	}
}

func l1Classes(w *world) {
	open := []store.Record{w.claimed(), w.started(), w.lapsed()}
	unknown := []store.Record{w.unknown(), w.unknown(rerun)}
	done := []store.Record{w.done(), w.done()}
	for range 2 {
		w.wantListed(w.listAll(store.ClassOpen, 100), open...)
		w.wantListed(w.listAll(store.ClassUnknown, 100), unknown...)
		if w.h.Traits.ListsDone {
			w.wantListed(w.listAll(store.ClassDone, 100), done...)
		}
		// What changes its class moves: an unknown one is completed by its late owner, an open one is released.
		late := unknown[0]
		done = append(done, w.want(w.advance(store.OpComplete, late.Identity, late.Token), store.Applied))
		free := open[0]
		w.want(w.advance(store.OpRelease, free.Identity, free.Token), store.Applied)
		open, unknown = open[1:], unknown[1:]
	}
}

func l1Pages(w *world) {
	var open []store.Record
	for i := range 11 { // leases out of the order of creation, and some alike
		lease := long * time.Duration(1+i*7%5)
		open = append(open, w.claimed(func(q *store.ClaimRequest) { q.Lease = lease }))
	}
	for _, limit := range []int{1, 3, 11, store.MaxPage} {
		w.wantListed(w.listAll(store.ClassOpen, limit), open...)
	}
	if got := w.listAll(store.ClassUnknown, 3); len(got) != 0 {
		w.Errorf("%d unknown records listed, there are none", len(got))
	}
}

func l1Busy(w *world) {
	var steady, leaving []store.Record
	for range 6 {
		leaving = append(leaving, w.claimed())
		steady = append(steady, w.claimed())
	}
	got := w.list(store.ListRequest{Class: store.ClassOpen, Limit: 2}, func() {
		w.claimed()
		if len(leaving) > 0 {
			r := leaving[0]
			w.want(w.advance(store.OpComplete, r.Identity, r.Token), store.Applied)
			leaving = leaving[1:]
		}
	})
	for _, r := range steady {
		n := 0
		for _, g := range got {
			if g.ID == r.ID {
				n++
			}
		}
		expect(w, "how often a steady record is listed", n, 1)
	}
}

func l1Filters(w *world) {
	take := func(service, principal, key string) store.Record {
		return w.want(w.claim(identity(service, principal, key, 0), w.token()), store.Granted)
	}
	a, b, c := take("orders", "alice", "1"), take("orders", "bob", "2"), take("refunds", "alice", "3")
	w.pass(w.short)
	middle := w.now()
	d := take("refunds", "bob", "4")
	for _, f := range []struct {
		q    store.ListRequest
		want []store.Record
	}{
		{store.ListRequest{Service: "orders"}, []store.Record{a, b}},
		{store.ListRequest{Principal: "alice"}, []store.Record{a, c}},
		{store.ListRequest{Service: "refunds", Principal: "bob"}, []store.Record{d}},
		{store.ListRequest{Service: "nobody's"}, nil},
		{store.ListRequest{Before: middle}, []store.Record{a, b, c}},
		{store.ListRequest{Before: d.FirstSeen}, []store.Record{a, b, c}},
		{store.ListRequest{Before: d.FirstSeen + 1, Service: "refunds"}, []store.Record{c, d}},
	} {
		for _, limit := range []int{1, 100} {
			f.q.Class, f.q.Limit = store.ClassOpen, limit
			w.wantListed(w.list(f.q, func() {}), f.want...)
		}
	}
}

func l2(w *world) {
	first, second := w.done(), w.done(w.soon)
	w.claimed()
	if w.h.Traits.ListsDone {
		w.wantListed(w.listAll(store.ClassDone, 1), first, second)
		return
	}
	_, err := w.store.List(w.ctx, store.ListRequest{Class: store.ClassDone, Limit: 10})
	if !errors.Is(err, store.ErrUnsupported) {
		w.Errorf("Traits do not say ListsDone, so List must answer ErrUnsupported; got %v", err)
	}
}
