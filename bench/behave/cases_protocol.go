package behave

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/bench/behave/contract"
)

// protocolCases hold a server to docs/protocol.md. They are about onceward's own words, and count for nobody else.
func protocolCases() []Case {
	return []Case{
		{Name: "protocol/headers", Group: SameReply, Kind: Protocol,
			Says: "Replies say Onceward-Window and Onceward-Outcome: saved; replays say Idempotent-Replayed: true, and leave out Set-Cookie.", Check: protocolHeaders},
		{Name: "protocol/multipart", Group: SameKey, Kind: Protocol, Says: "The same form with another multipart boundary is the same request.", Check: protocolMultipart},
		{Name: "protocol/key-reused", Group: SameKey, Kind: Protocol, Says: "Another body: 422 key-reused.", Check: protocolReused},
		{Name: "protocol/key-missing", Group: Keys, Kind: Protocol, Says: "No key: 400 key-missing.", Check: func(p *Probe) Verdict {
			return problem(p.send(p.ask(func(a *ask) { a.Key = "" })), http.StatusBadRequest, "key-missing")
		}},
		{Name: "protocol/key-invalid", Group: Keys, Kind: Protocol, Says: "Two keys, joined keys, an empty or a long one: 400 key-invalid.", Check: protocolInvalid},
		{Name: "protocol/scope-missing", Group: Isolation, Kind: Protocol, Says: "No principal: 403 scope-missing.", Check: func(p *Probe) Verdict {
			return problem(p.send(p.ask(func(a *ask) { a.Principal = "" })), http.StatusForbidden, "scope-missing")
		}},
		{Name: "protocol/in-progress", Group: OneEffect, Kind: Protocol, Says: "In flight, after the wait: 409 in-progress with Retry-After.", Check: protocolInProgress},
		{Name: "protocol/outcome-unknown", Group: BadEnds, Kind: Protocol, Says: "After a panic: 409 outcome-unknown.", Check: func(p *Probe) Verdict {
			a := p.ask(func(a *ask) { a.Script.Panic = true })
			p.send(a)
			return problem(p.send(a), http.StatusConflict, "outcome-unknown")
		}},
		{Name: "protocol/key-expired", Group: Keys, Kind: Protocol, Says: "A stamped key older than the window, with no record: 410 key-expired; nothing runs.",
			Check: func(p *Probe) Verdict { return p.stamped(-time.Hour, http.StatusGone, "key-expired") }},
		{Name: "protocol/key-from-the-future", Group: Keys, Kind: Protocol, Says: "A stamp in the future: 400 key-from-the-future; nothing runs.",
			Check: func(p *Probe) Verdict { return p.stamped(time.Hour, http.StatusBadRequest, "key-from-the-future") }},
		{Name: "protocol/horizon", Group: Keys, Kind: Protocol, Says: "A client that would retry for longer than the window: 400 horizon-too-long; nothing runs.",
			Check: protocolHorizon},
		{Name: "protocol/body-too-large", Group: Trouble, Kind: Protocol, Says: "A body over the limit: 413 body-too-large.", Check: func(p *Probe) Verdict {
			return problem(p.send(p.ask(func(a *ask) { a.Body = make([]byte, 1<<20+1) })), http.StatusRequestEntityTooLarge, "body-too-large")
		}},
	}
}

// problem judges a refusal: application/problem+json (RFC 9457) with the problem's name at the end of its type.
func problem(got answer, status int, name string) Verdict {
	if got.Err != nil || got.Status != status {
		return failed("it gets %s, not a %d", got, status)
	}
	if media, _, err := mime.ParseMediaType(got.Header.Get("Content-Type")); err != nil || media != "application/problem+json" {
		return failed("its Content-Type is %s", shown(got.Header["Content-Type"]))
	}
	var body struct {
		Type   string
		Status int
		Safe   *bool `json:"safe_new_key"`
	}
	if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
		return failed("its body is not JSON")
	}
	if !strings.HasSuffix(body.Type, "#"+name) || body.Status != status || body.Safe == nil {
		return failed("its body does not say %s", name)
	}
	return pass()
}

func protocolHeaders(p *Probe) Verdict {
	script := contract.Script{Header: [][2]string{{"Set-Cookie", "session=1"}}}
	a := p.asking(script)
	first, again := p.send(a), p.send(a)
	for _, c := range []struct {
		got        answer
		name, want string
	}{
		{first, "Onceward-Outcome", "saved"}, {again, "Onceward-Outcome", "saved"},
		{first, "Idempotent-Replayed", ""}, {again, "Idempotent-Replayed", "true"},
		{first, "Set-Cookie", "session=1"}, {again, "Set-Cookie", ""},
	} {
		if got := c.got.Header.Get(c.name); got != c.want {
			return failed("%s is %q, not %q", c.name, got, c.want)
		}
	}
	for _, got := range []answer{first, again} {
		if seconds, err := strconv.Atoi(got.Header.Get("Onceward-Window")); err != nil || seconds <= 0 {
			return failed("Onceward-Window is %q", got.Header.Get("Onceward-Window"))
		}
	}
	return pass()
}

func protocolMultipart(p *Probe) Verdict {
	a := p.ask()
	form := func(boundary string) ask {
		a := a
		a.Media = "multipart/form-data; boundary=" + boundary
		a.Body = fmt.Appendf(nil, "--%[1]s\r\nContent-Disposition: form-data; name=\"item\"\r\n\r\nbook\r\n--%[1]s--\r\n", boundary)
		return a
	}
	first, again := p.send(form("one")), p.send(form("two"))
	if first.Status != http.StatusCreated || again.Status != first.Status || again.Body != first.Body {
		return failed("first %s, then %s", first, again)
	}
	return pass()
}

func protocolReused(p *Probe) Verdict {
	a := p.ask()
	p.send(a)
	a.Body = []byte("another")
	return problem(p.send(a), http.StatusUnprocessableEntity, "key-reused")
}

func protocolInvalid(p *Probe) Verdict {
	key := p.fresh()
	for _, lines := range [][]string{{key, key}, {key + "," + key}, {""}, {strings.Repeat("k", 256)}, {"k k"}, {"ké"}} {
		if v := problem(p.withKeyLines(p.ask(), lines...), http.StatusBadRequest, "key-invalid"); v.Outcome != Pass {
			return v
		}
	}
	return pass()
}

func protocolInProgress(p *Probe) Verdict {
	gate := p.fresh()
	a := p.ask(func(a *ask) { a.Script.Hold = gate })
	defer p.open(gate)
	first := p.later(p.base, a)
	if !p.running(a, 1) {
		return failed("it does not run")
	}
	got := p.send(a)
	p.open(gate)
	<-first
	if _, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil {
		return failed("Retry-After is %q", got.Header.Get("Retry-After"))
	}
	return problem(got, http.StatusConflict, "in-progress")
}

// stamped sends a key that says that it was minted some time ago, or will be.
func (p *Probe) stamped(age time.Duration, status int, name string) Verdict {
	key, err := onceward.TypeID{Clock: func() time.Time { return time.Now().Add(age) }}.Mint()
	if err != nil {
		return failed("%v", err)
	}
	a := p.ask(func(a *ask) { a.Key, a.Path = key.Text(), contract.PathShort })
	got := p.send(a)
	if fault := p.effects(a, 0); fault != "" {
		return failed("%s", fault)
	}
	return problem(got, status, name)
}

func protocolHorizon(p *Probe) Verdict {
	a := p.ask(func(a *ask) { a.Path, a.Header = contract.PathShort, http.Header{"Onceward-Horizon": {"86400"}} })
	got := p.send(a)
	if fault := p.effects(a, 0); fault != "" {
		return failed("%s", fault)
	}
	return problem(got, http.StatusBadRequest, "horizon-too-long")
}
