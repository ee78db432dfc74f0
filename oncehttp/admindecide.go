package oncehttp

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
)

// AdminOperation names what a decision is about, and why.
type AdminOperation struct {
	Service   string `json:"service"`
	Principal string `json:"principal"`
	Key       string `json:"key"`
	Reason    string `json:"reason"` // required; at most store.MaxReason bytes
}

// AdminRelease is the body of POST /release.
type AdminRelease struct {
	AdminOperation
	Version uint64 `json:"version"` // required: of the record as it was looked at
}

// AdminResolve is the body of POST /resolve.
type AdminResolve struct {
	AdminOperation
	Version  uint64      `json:"version"`         // required: of the record as it was looked at
	Happened *bool       `json:"happened"`        // required
	Attested bool        `json:"attested"`        // not happened: no earlier owner can act any more, so that a new key is safe
	Reply    *AdminReply `json:"reply,omitempty"` // happened: what callers shall get; left out: they are told that the reply was not kept
}

// AdminDecision is the answer to a decision: the record as it has become, and under whose name that stands in the audit trail.
type AdminDecision struct {
	Record AdminRecord `json:"record"`
	Actor  string      `json:"actor"`
}

// named checks what every decision has to say.
func (o AdminOperation) named() (onceward.Scope, onceward.Key, error) {
	if strings.TrimSpace(o.Reason) == "" {
		return onceward.Scope{}, onceward.Key{}, badRequest("reason is required: it stands in the audit trail")
	}
	key, err := onceward.ParseKey(o.Key)
	if err != nil {
		return onceward.Scope{}, onceward.Key{}, badRequest("key: " + err.Error())
	}
	return onceward.Scope{Service: o.Service, Principal: o.Principal}, key, nil
}

// at finds the record that was looked at. If it is another by now, the store will see it.
func (a *admin) at(r *http.Request, o AdminOperation, version uint64) (store.Record, error) {
	scope, key, err := o.named()
	if err != nil {
		return store.Record{}, err
	}
	if version == 0 {
		return store.Record{}, badRequest("version is required: look at the record first")
	}
	shown, err := a.guard.Show(r.Context(), scope, key)
	if err != nil {
		return store.Record{}, err
	}
	return store.Record{Identity: shown.Record.Identity, Version: version}, nil
}

func (a *admin) resolve(r *http.Request, actor string) (any, error) {
	var q AdminResolve
	if err := readDecision(r, &q); err != nil {
		return nil, err
	}
	switch {
	case q.Happened == nil:
		return nil, badRequest("happened is required: true or false")
	case *q.Happened && q.Attested:
		return nil, badRequest("attested goes with happened: false")
	case !*q.Happened && q.Reply != nil:
		return nil, badRequest("reply goes with happened: true")
	}
	reply, err := q.Reply.reply()
	if err != nil {
		return nil, err
	}
	record, err := a.at(r, q.AdminOperation, q.Version)
	if err != nil {
		return nil, err
	}
	found, err := a.guard.Resolve(r.Context(), onceward.Resolution{
		Record: record, Happened: *q.Happened, Reply: reply, Attested: q.Attested, Actor: actor, Reason: q.Reason,
	})
	return a.decided(r, actor, found, err)
}

func (a *admin) release(r *http.Request, actor string) (any, error) {
	var q AdminRelease
	if err := readDecision(r, &q); err != nil {
		return nil, err
	}
	record, err := a.at(r, q.AdminOperation, q.Version)
	if err != nil {
		return nil, err
	}
	found, err := a.guard.Release(r.Context(), onceward.Release{Record: record, Actor: actor, Reason: q.Reason})
	return a.decided(r, actor, found, err)
}

func (a *admin) cancel(r *http.Request, actor string) (any, error) {
	var q AdminOperation
	if err := readDecision(r, &q); err != nil {
		return nil, err
	}
	scope, key, err := q.named()
	if err != nil {
		return nil, err
	}
	found, err := a.guard.Cancel(r.Context(), onceward.Cancellation{Scope: scope, Key: key, Actor: actor, Reason: q.Reason})
	return a.decided(r, actor, found, err)
}

// decided answers with the record as the decision made it. What was in its way is told with the record as it is now.
func (a *admin) decided(r *http.Request, actor string, found store.Record, err error) (any, error) {
	if err == nil {
		return AdminDecision{Record: adminRecord(found, 0), Actor: actor}, nil
	}
	refused := adminProblem(err)
	key, keyErr := onceward.ParseKey(found.Key)
	if refused.status != http.StatusConflict || keyErr != nil {
		return nil, refused
	}
	// Without the record the refusal is still true.
	if shown, err := a.guard.Show(r.Context(), onceward.Scope{Service: found.Service, Principal: found.Principal}, key); err == nil {
		now := adminRecord(shown.Record, shown.Now)
		now.Sealed = shown.Sealed
		refused.record = &now
	}
	return nil, refused
}

// reply is what callers shall get. It must be one that the middleware can send.
func (p *AdminReply) reply() (*onceward.Reply, error) {
	if p == nil {
		return nil, nil // none is meant
	}
	if p.Status < 200 || p.Status > 599 {
		return nil, badRequest("reply.status must be a final status, 200 to 599")
	}
	out := &onceward.Reply{Status: p.Status, Body: []byte(p.Body)}
	if p.BodyBase64 != "" {
		body, err := base64.StdEncoding.DecodeString(p.BodyBase64)
		if err != nil || p.Body != "" {
			return nil, badRequest("reply.body_base64 must be base64, and stand alone")
		}
		out.Body = body
	}
	if len(out.Body) > 0 && !bodyAllowed(p.Status) {
		return nil, badRequest("a reply of this status has no body")
	}
	var err error
	if out.Header, err = replyFields(p.Header); err != nil {
		return nil, err
	}
	out.Trailer, err = replyFields(p.Trailer)
	return out, err
}

// replyFields reads header fields; those that a replay never carries are refused.
func replyFields(fields []AdminField) ([]onceward.Field, error) {
	never := newKept(Config{}).drop
	out := make([]onceward.Field, 0, len(fields))
	for _, f := range fields {
		name := http.CanonicalHeaderKey(f.Name)
		switch {
		case !isToken(f.Name) || strings.ContainsFunc(f.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F }):
			return nil, badRequest("reply.header and reply.trailer must be fields of HTTP")
		case never[name]:
			return nil, badRequest("a replay never carries " + name)
		}
		out = append(out, onceward.Field{Name: name, Value: f.Value})
	}
	return out, nil
}

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
}
