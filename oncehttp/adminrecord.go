package oncehttp

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// AdminRecord is a record as [Admin] shows it. Times are RFC 3339 in UTC on the store's clock; what does not apply is left out.
type AdminRecord struct {
	ID         string      `json:"id,omitempty"` // hexadecimal; the one name of the operation that may be logged
	Service    string      `json:"service"`
	Principal  string      `json:"principal"`
	Key        string      `json:"key"`
	State      string      `json:"state"` // absent, claimed, started, unknown or done
	Policy     string      `json:"policy,omitempty"`
	Doubted    bool        `json:"doubted"`          // an earlier owner may have had its effect
	Lapsed     bool        `json:"lapsed"`           // the lease of an open record is over
	Sealed     bool        `json:"sealed,omitempty"` // absent, and will never be admitted again
	Claims     uint32      `json:"claims,omitempty"` // how many owners it has had
	Version    uint64      `json:"version,omitempty"`
	MintedAt   *time.Time  `json:"minted_at,omitempty"`
	FirstSeen  *time.Time  `json:"first_seen,omitempty"`
	LeaseUntil *time.Time  `json:"lease_until,omitempty"`
	End        string      `json:"end,omitempty"` // reply, reply-not-kept, not-executed or cancelled
	SafeNewKey bool        `json:"safe_new_key"`  // no send under this key can have taken effect or will
	DoneAt     *time.Time  `json:"done_at,omitempty"`
	PurgeAt    *time.Time  `json:"purge_at,omitempty"`
	Reply      *AdminReply `json:"reply,omitempty"`
}

// AdminReply is a reply's content. A body that is not UTF-8 stands in body_base64.
type AdminReply struct {
	Status     int          `json:"status"`
	Header     []AdminField `json:"header,omitempty"`
	Body       string       `json:"body,omitempty"`
	BodyBase64 string       `json:"body_base64,omitempty"`
	Trailer    []AdminField `json:"trailer,omitempty"`
}

// AdminField is one line of a reply's header or trailer.
type AdminField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// AdminEntry is a line of the audit trail.
type AdminEntry struct {
	At        time.Time `json:"at"`
	ID        string    `json:"id"`
	Service   string    `json:"service"`
	Principal string    `json:"principal"`
	Key       string    `json:"key"`
	Action    string    `json:"action"`
	Version   uint64    `json:"version,omitempty"` // of the record afterwards; left out: absent
	Actor     string    `json:"actor,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// adminRecord leaves out the token, the fingerprint and the reply.
func adminRecord(r store.Record, now store.Time) AdminRecord {
	out := AdminRecord{
		ID: r.ID.String(), Service: r.Service, Principal: r.Principal, Key: r.Key,
		State: r.State.String(), Doubted: r.Doubted, Claims: r.Claims, Version: r.Version,
		MintedAt: adminTime(r.Stamp), FirstSeen: adminTime(r.FirstSeen), LeaseUntil: adminTime(r.Lease),
		SafeNewKey: r.SafeNewKey, DoneAt: adminTime(r.DoneAt), PurgeAt: adminTime(r.PurgeAt),
	}
	if r.State != store.Absent {
		out.Policy = r.Policy.String()
	}
	if now != 0 && r.Open() {
		out.Lapsed = r.Lapsed(now)
		if r.Unknown(now) {
			out.State = store.Unknown.String()
		}
	}
	if r.State == store.Done {
		out.End = strings.ReplaceAll(r.End.String(), " ", "-")
	}
	return out
}

func adminTime(t store.Time) *time.Time {
	if t == 0 {
		return nil
	}
	std := t.Std()
	return &std
}

func adminReply(r onceward.Reply) *AdminReply {
	out := &AdminReply{Status: r.Status, Header: adminFields(r.Header), Trailer: adminFields(r.Trailer)}
	if utf8.Valid(r.Body) {
		out.Body = string(r.Body)
	} else {
		out.BodyBase64 = base64.StdEncoding.EncodeToString(r.Body)
	}
	return out
}

func adminFields(fields []onceward.Field) []AdminField {
	out := make([]AdminField, 0, len(fields))
	for _, f := range fields {
		out = append(out, AdminField(f))
	}
	return out
}

func adminEntries(entries []store.Entry) []AdminEntry {
	out := make([]AdminEntry, 0, len(entries))
	for _, e := range entries {
		out = append(out, AdminEntry{
			At: e.At.Std(), ID: e.Who.ID.String(), Service: e.Who.Service, Principal: e.Who.Principal, Key: e.Who.Key,
			Action: e.Action.String(), Version: e.Version, Actor: e.Actor, Reason: e.Reason,
		})
	}
	return out
}
