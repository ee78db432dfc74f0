package oncehttp

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// AdminPage is a part of a listing.
type AdminPage struct {
	Records []AdminRecord `json:"records"`
	Next    string        `json:"next,omitempty"` // the cursor of the next part; left out: that was all
	Now     time.Time     `json:"now"`            // the store's clock, to tell ages by
}

// AdminTrail is a part of the audit trail.
type AdminTrail struct {
	Entries []AdminEntry `json:"entries"`
	Next    string       `json:"next,omitempty"`
}

// adminQuery reads a query. A parameter that the route does not know is refused: a misspelt filter would show everybody's records.
type adminQuery struct{ values url.Values }

func newAdminQuery(r *http.Request, known ...string) (adminQuery, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return adminQuery{}, badRequest("the query cannot be read")
	}
	for name, v := range values {
		if !slices.Contains(known, name) {
			return adminQuery{}, badRequest("unknown parameter " + strconv.Quote(name) + "; this route knows " + strings.Join(known, ", "))
		}
		if len(v) > 1 {
			return adminQuery{}, badRequest("the parameter " + name + " stands twice")
		}
	}
	return adminQuery{values}, nil
}

func (q adminQuery) text(name string) string { return q.values.Get(name) }

func (q adminQuery) limit() (int, error) {
	text := q.text("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > store.MaxPage {
		return 0, badRequest("limit must be 1 to " + strconv.Itoa(store.MaxPage))
	}
	return n, nil
}

func (a *admin) unknowns(r *http.Request, _ string) (any, error) {
	q, err := newAdminQuery(r, "service", "principal", "cursor", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := q.limit()
	if err != nil {
		return nil, err
	}
	page, err := a.guard.Unknowns(r.Context(), onceward.UnknownsRequest{
		Service: q.text("service"), Principal: q.text("principal"), Cursor: q.text("cursor"), Limit: limit,
	})
	return adminPage(page), err
}

// adminClasses are the values of class.
var adminClasses = map[string]store.Class{
	store.ClassUnknown.String(): store.ClassUnknown, store.ClassOpen.String(): store.ClassOpen, store.ClassDone.String(): store.ClassDone,
}

// openCursor begins the cursors of a listing without class once its unknown records are through.
const openCursor = "open:"

// records lists a class; without one the problems come first, then what is at work.
func (a *admin) records(r *http.Request, _ string) (any, error) {
	q, err := newAdminQuery(r, "class", "service", "principal", "before", "cursor", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := q.limit()
	if err != nil {
		return nil, err
	}
	ask := onceward.RecordsRequest{Service: q.text("service"), Principal: q.text("principal"), Cursor: q.text("cursor"), Limit: limit}
	if before := q.text("before"); before != "" {
		if ask.Before, err = time.Parse(time.RFC3339, before); err != nil {
			return nil, badRequest("before must be a time of RFC 3339, such as 2026-11-23T06:00:00Z")
		}
	}
	class := q.text("class")
	if class != "" {
		if ask.Class = adminClasses[class]; ask.Class == 0 {
			return nil, badRequest("class must be unknown, open or done")
		}
		page, err := a.guard.Records(r.Context(), ask)
		return adminPage(page), err
	}
	rest, open := strings.CutPrefix(ask.Cursor, openCursor)
	ask.Class = store.ClassUnknown
	if open {
		ask.Class, ask.Cursor = store.ClassOpen, rest
	}
	page, err := a.guard.Records(r.Context(), ask)
	out := adminPage(page)
	if !open || out.Next != "" {
		out.Next = cursorAfter(open, out.Next)
	}
	return out, err
}

// cursorAfter is where a listing of all classes goes on.
func cursorAfter(open bool, next string) string {
	if open || next == "" {
		return openCursor + next
	}
	return next
}

func adminPage(page store.Page) AdminPage {
	out := AdminPage{Records: make([]AdminRecord, 0, len(page.Records)), Next: page.Next, Now: page.Now.Std()}
	for _, r := range page.Records {
		out.Records = append(out.Records, adminRecord(r, page.Now))
	}
	return out
}

func (a *admin) trail(r *http.Request, _ string) (any, error) {
	q, err := newAdminQuery(r, "id", "cursor", "limit")
	if err != nil {
		return nil, err
	}
	ask := onceward.TrailRequest{Cursor: q.text("cursor")}
	if ask.Limit, err = q.limit(); err != nil {
		return nil, err
	}
	if text := q.text("id"); text != "" {
		if ask.ID, err = adminID(text); err != nil {
			return nil, err
		}
	}
	page, err := a.guard.Trail(r.Context(), ask)
	return AdminTrail{Entries: adminEntries(page.Entries), Next: page.Next}, err
}
