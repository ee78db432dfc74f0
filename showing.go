package onceward

import (
	"context"
	"errors"
	"time"

	"github.com/onceward/onceward/store"
)

// DefaultPage is how many records or entries a listing gives at a time when its Limit is zero.
const DefaultPage = 100

// Showing is what the store knows of one operation.
type Showing struct {
	Record store.Record // with its reply; its Identity is set also when the state is Absent
	Sealed bool         // absent, and the key will never be admitted again
	Now    store.Time   // the store's clock
}

// Show reads the record of an operation and changes nothing. An absent record is no error.
func (g *Guard) Show(ctx context.Context, scope Scope, key Key) (Showing, error) {
	who, err := g.named("show", scope, key)
	if err != nil {
		return Showing{}, err
	}
	return g.show(ctx, who)
}

// ShowID is Show for somebody who knows nothing but the id, which is what logs say of an operation. What the store does not find any more is looked for
// in the audit trail. If nothing is known of the id, the record is Absent, and its Identity has no Service, Principal and Key.
//
// Over a store that is no [store.Finder] the open and the unknown records are gone through, so that whatever waits for somebody is found. A done one that nobody
// has decided about is not: that the id may be one's is an error that wraps [ErrConfig].
func (g *Guard) ShowID(ctx context.Context, id store.ID) (Showing, error) {
	nothing := Showing{Record: store.Record{Identity: store.Identity{ID: id}}}
	if id == (store.ID{}) { // the trail would take it for all operations
		return nothing, nil
	}
	var who store.Identity
	finder, finds := g.store.(store.Finder)
	if finds {
		var err error
		if who, err = finder.Find(ctx, id); err != nil {
			return Showing{}, deskError("show", err)
		}
	}
	if who.ID == (store.ID{}) {
		page, err := g.Trail(ctx, TrailRequest{ID: id, Limit: 1})
		switch {
		case err != nil:
			return Showing{}, err
		case len(page.Entries) > 0:
			who = page.Entries[0].Who
		case finds:
			return nothing, nil
		}
	}
	if who.ID == (store.ID{}) {
		var err error
		if who, err = g.seek(ctx, id); err != nil {
			return Showing{}, err
		}
	}
	return g.show(ctx, who)
}

// seek looks for an id where a store has no index of them. The open records come first: one that lapses meanwhile is met among the unknown.
func (g *Guard) seek(ctx context.Context, id store.ID) (store.Identity, error) {
	for _, class := range []store.Class{store.ClassOpen, store.ClassUnknown} {
		for q := (RecordsRequest{Class: class, Limit: store.MaxPage}); ; {
			page, err := g.Records(ctx, q)
			if err != nil {
				return store.Identity{}, err
			}
			for _, r := range page.Records {
				if r.ID == id {
					return r.Identity, nil
				}
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
	}
	return store.Identity{}, &Error{Op: "show", Err: ErrConfig,
		Hint: "nothing open or unknown has this id, and this store does not find what is done by its id alone: give service, principal and key"}
}

func (g *Guard) show(ctx context.Context, who store.Identity) (Showing, error) {
	answer, err := g.store.Get(ctx, who)
	if err != nil {
		return Showing{}, deskError("show", err)
	}
	if answer.Record.State == store.Absent {
		answer.Record.Identity = who
	}
	return Showing{Record: answer.Record, Sealed: answer.Verdict == store.Expired, Now: answer.Now}, nil
}

// named is identify for what people and tools ask.
func (g *Guard) named(op string, scope Scope, key Key) (store.Identity, error) {
	who, err := g.identify(Call{Scope: scope, Key: key})
	var e *Error
	if errors.As(err, &e) { // made for us just now
		e.Op = op
	}
	return who, err
}

// RecordsRequest selects records of one class.
type RecordsRequest struct {
	Class     store.Class // required; store.ClassDone only if the store's Traits say ListsDone
	Service   string      // "": all
	Principal string      // "": all
	Before    time.Time   // only records first seen before; zero: all
	Cursor    string      // from the last page
	Limit     int         // default DefaultPage, at most store.MaxPage
}

// Records lists the records of a class, the oldest first, without their replies.
func (g *Guard) Records(ctx context.Context, q RecordsRequest) (store.Page, error) {
	page, err := g.store.List(ctx, store.ListRequest{
		Class: q.Class, Service: q.Service, Principal: q.Principal, Before: store.TimeOf(q.Before), Cursor: q.Cursor, Limit: pageOf(q.Limit),
	})
	return page, deskError("list", err)
}

// TrailRequest selects entries of the audit trail.
type TrailRequest struct {
	ID     store.ID // of one operation; zero: all
	Cursor string   // from the last page
	Limit  int      // default DefaultPage, at most store.MaxPage
}

// Trail reads the audit trail, the oldest entry first: who decided what and why. It outlives the records.
func (g *Guard) Trail(ctx context.Context, q TrailRequest) (store.TrailPage, error) {
	page, err := g.store.Trail(ctx, store.TrailRequest{ID: q.ID, Cursor: q.Cursor, Limit: pageOf(q.Limit)})
	return page, deskError("trail", err)
}

func pageOf(limit int) int {
	if limit == 0 {
		return DefaultPage
	}
	return limit
}
