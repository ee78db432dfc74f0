package oncehttp

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// AdminShowing is one operation with its audit trail.
type AdminShowing struct {
	Record AdminRecord  `json:"record"`
	Trail  []AdminEntry `json:"trail"`
	Next   string       `json:"trail_next,omitempty"` // the cursor for /trail?id=…; left out: that was all
	Now    time.Time    `json:"now"`                  // the store's clock
}

func (a *admin) show(r *http.Request, _ string) (any, error) {
	q, err := newAdminQuery(r, "id", "service", "principal", "key", "reply")
	if err != nil {
		return nil, err
	}
	withReply := false
	if text := q.text("reply"); text != "" {
		if withReply, err = strconv.ParseBool(text); err != nil {
			return nil, badRequest("reply must be true or false")
		}
	}
	shown, err := a.find(r, q)
	if err != nil {
		return nil, err
	}
	trail, err := a.guard.Trail(r.Context(), onceward.TrailRequest{ID: shown.Record.ID})
	if err != nil {
		return nil, err
	}
	out := AdminShowing{Record: adminRecord(shown.Record, shown.Now), Trail: adminEntries(trail.Entries), Next: trail.Next, Now: shown.Now.Std()}
	out.Record.Sealed = shown.Sealed
	if withReply && shown.Record.End == store.EndReply {
		reply, err := onceward.DecodeReply(shown.Record.Reply)
		if err != nil {
			return nil, &adminError{status: http.StatusInternalServerError, detail: "the saved reply is damaged"}
		}
		out.Record.Reply = adminReply(reply)
	}
	return out, nil
}

// find reads the record of the operation that a query names: by its id, or whole.
func (a *admin) find(r *http.Request, q adminQuery) (onceward.Showing, error) {
	if text := q.text("id"); text != "" {
		id, err := adminID(text)
		if err != nil {
			return onceward.Showing{}, err
		}
		if len(r.Header.Values(HeaderKey)) > 0 || q.text("service")+q.text("principal")+q.text("key") != "" {
			return onceward.Showing{}, badRequest("id stands for service, principal and key: send either")
		}
		shown, err := a.guard.ShowID(r.Context(), id)
		if err == nil && shown.Record.Key == "" {
			err = &adminError{status: http.StatusNotFound, detail: "nothing is known of this id: it never came, was freed, or is over"}
		}
		return shown, err
	}
	key, err := adminKey(r, q.text("key"))
	if err != nil {
		return onceward.Showing{}, badRequest(err.Error())
	}
	return a.guard.Show(r.Context(), onceward.Scope{Service: q.text("service"), Principal: q.text("principal")}, key)
}

func adminID(text string) (id store.ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, badRequest("id must be 64 hexadecimal digits")
	}
	return store.ID(b), nil
}

// adminKey takes the key from the query or, so that it stays out of access logs, from the header that calls send it in.
func adminKey(r *http.Request, text string) (onceward.Key, error) {
	key, err := KeyFromHeader(r.Header)
	switch {
	case text == "":
		return key, err
	case err == nil:
		return onceward.Key{}, errors.New("the key stands both in the query and in the header; send one")
	}
	return onceward.ParseKey(text)
}
