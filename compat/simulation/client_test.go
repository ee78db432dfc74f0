package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/retry"
	"github.com/onceward/onceward/store"
)

// customer wants one thing, an intent, to take effect once. It has a client and a clock of its own.
type customer struct {
	w         *world
	number    int // also the intent's
	name      string
	principal string
	route     string
	stamped   bool
	r         *rand.Rand
	ahead     time.Duration // of the true time
	leap      jump          // of its clock: somebody sets it, or the machine has slept
	http      *oncehttp.Client
	order     int // of its principal's customers: two principals may have the same keys
	twin      bool
	mistaken  bool // has used its key for another request
	wants     []*wanted
}

// wanted is an operation of a customer, with what it knows of it.
type wanted struct {
	op   *oncehttp.Operation
	name string
	key  int // of the intent's
	fate onceward.Fate
	sure bool // told by the record itself, not only by the answers to its own sends
}

func newCustomer(w *world, number int) *customer {
	c := &customer{w: w, number: number, name: fmt.Sprint("c", number)}
	c.r = w.roll("customer " + c.name)
	c.principal = either(c.r, "ann", "bob")
	c.route, c.stamped = either(c.r, routes...), c.r.IntN(3) > 0
	c.ahead = between(c.r, -3*time.Minute, 3*time.Minute)
	for _, other := range w.customers {
		if other.principal == c.principal {
			c.order++
		}
	}
	if c.r.IntN(4) == 0 {
		c.leap = jump{between(c.r, time.Second, stormy), between(c.r, -3*time.Minute, 15*time.Minute)}
	}
	c.http = c.newClient(c.name)
	return c
}

func (c *customer) now() time.Time {
	t := time.Now().Add(c.ahead)
	if c.w.now() >= c.leap.at {
		t = t.Add(c.leap.by)
	}
	return t
}

func (c *customer) newClient(label string) *oncehttp.Client {
	r := c.w.roll("client " + label)
	budget, err := retry.NewBudget(retry.BudgetConfig{Capacity: 1e6})
	c.w.must(err)
	var jitter sync.Mutex
	config := oncehttp.ClientConfig{
		Transport: &http.Transport{
			DialContext: c.w.network.dialer(label), DisableCompression: true, DisableKeepAlives: r.IntN(2) == 0, IdleConnTimeout: time.Minute,
		},
		Policy: retry.Policy{
			Attempts: 2 + r.IntN(3), AttemptTimeout: between(r, 15*time.Second, time.Minute), Base: time.Second, OverloadBase: 2 * time.Second, PollInterval: 3 * time.Second,
		},
		Budget: budget, Keys: onceward.TypeID{Clock: c.now, Rand: rand.NewChaCha8([32]byte{byte(c.number), byte(r.Uint32()), byte(r.Uint32())})},
		Clock: retry.Clock{Now: c.now},
		Rand: func() float64 {
			jitter.Lock()
			defer jitter.Unlock()
			return r.Float64()
		},
	}
	if c.w.broken.client != nil {
		c.w.broken.client(c, &config)
	}
	client, err := oncehttp.NewClient(config)
	c.w.must(err)
	c.w.keep(client)
	return client
}

// request is the intent as a request; other makes it another one, for a customer that mistakes its keys.
func (c *customer) request(key string, other bool) *http.Request {
	body := fmt.Sprint("intent ", c.number)
	if other {
		body += ", changed"
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://shop.test/"+c.route, strings.NewReader(body))
	c.w.must(err)
	req.Header.Set("Principal", c.principal)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	return req
}

// prepare makes the intent's next operation, under a new key.
func (c *customer) prepare() *wanted {
	key := ""
	if !c.stamped {
		key = fmt.Sprintf("order-%d-%d", c.order, len(c.wants))
	}
	op, err := c.http.Prepare(c.request(key, false))
	c.w.must(err)
	wd := &wanted{op: op, name: name(c.principal, op.Key().Text()), key: len(c.wants)}
	c.wants = append(c.wants, wd)
	c.w.register(wd.name, c.number, wd.key, c.route)
	return wd
}

// live is the customer's part of the storm.
func (c *customer) live() {
	c.w.sleepUntil(between(c.r, 0, stormy-5*time.Minute))
	wd := c.prepare()
	if c.twin = c.r.IntN(3) == 0; c.twin { // several sends of one operation may run at the same time
		also := *wd
		var ended sync.WaitGroup
		later := between(c.r, 0, 40*time.Second)
		ended.Go(func() {
			c.w.sleep(later)
			c.send(c.newClient(c.name+"'"), &also, "twin", 0)
		})
		defer ended.Wait()
	}
	for round := range 7 {
		patience := time.Duration(0)
		if c.r.IntN(8) == 0 {
			patience = time.Duration(1+c.r.IntN(40)) * beat
		}
		c.send(c.http, wd, "", patience)
		if round == 0 && c.r.IntN(6) == 0 && wd.fate != onceward.NotExecuted {
			c.mistake(wd)
		}
		switch wd.fate {
		case onceward.Executed:
			if c.r.IntN(2) == 0 {
				return
			}
			c.w.sleep(between(c.r, time.Second, 3*time.Minute))
			c.restart(wd)
		case onceward.NotExecuted:
			if !c.trusts(wd) || len(c.wants) == keysPerIntent || c.r.IntN(8) == 0 {
				return
			}
			c.w.saw("client: sends under a new key")
			wd = c.prepare()
		default:
			switch c.r.IntN(6) {
			case 0:
				return
			case 1:
				c.cancel(wd)
			case 2:
				c.restart(wd)
			}
			c.w.sleep(between(c.r, time.Second, 4*time.Minute))
		}
		if c.w.now() > stormy {
			return
		}
	}
}

// trusts says whether "not executed" makes a new key safe. What the record said does. What the answers to the client's own sends said does only if there is
// no other: no twin is going to send the operation again, and the network has made no copies.
func (c *customer) trusts(wd *wanted) bool {
	return wd.sure || !c.twin && !c.w.network.copied(wd.name)
}

// restart forgets all but the saved operation, unless somebody else is sending it: then this process lives on.
func (c *customer) restart(wd *wanted) {
	if c.twin {
		return
	}
	text, err := json.Marshal(wd.op)
	c.w.must(err)
	op := new(oncehttp.Operation)
	c.w.must(json.Unmarshal(text, op))
	wd.op = op
	c.w.saw("client: restarts")
}

const changed = "changed"

// mistake sends another request under the same key.
func (c *customer) mistake(wd *wanted) {
	c.mistaken = true
	op, err := c.http.Prepare(c.request(wd.op.Key().Text(), true))
	c.w.must(err)
	c.send(c.http, &wanted{op: op, name: wd.name, key: wd.key}, changed, 0)
}

// send sends the operation and writes down what came of it. Patience is when the customer hangs up; zero: never.
func (c *customer) send(client *oncehttp.Client, wd *wanted, how string, patience time.Duration) error {
	ctx := context.Background()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	called := c.w.asks(wd.name)
	resp, err := client.Send(ctx, wd.op)
	fate := onceward.FateOf(err)
	out := output{end: endUnknown}
	switch {
	case err == nil:
		body, err := io.ReadAll(resp.Body)
		c.w.must(err)
		out = output{end: endAnswered, reply: fmt.Sprint(resp.StatusCode, " ", string(body)), effect: effectIn(body)}
	case fate == onceward.Executed:
		out.end = endNotKept
	case fate == onceward.NotExecuted && errors.Is(err, onceward.ErrNotExecuted):
		out.end = endNotExecuted
	case how == changed: // its fate is that of another request
	case fate == onceward.NotExecuted && !c.w.network.copied(wd.name):
		out.end = endNotSent
	case errors.Is(err, onceward.ErrNotExecuted):
		out.end = endRecordNotExecuted
	case errors.Is(err, onceward.ErrOutcomeUnknown):
		out.end = endRecordUnknown
	}
	if fate == onceward.NotExecuted && out.end == endUnknown && how != changed {
		c.w.saw("client: not executed, though the network has copies")
	}
	wd.fate, wd.sure = fate, out.end == endNotExecuted
	c.w.saw("fate: " + fate.String())
	c.w.saw("end: " + out.end)
	for _, known := range []error{onceward.ErrKeyReused, onceward.ErrKeyExpired, onceward.ErrKeyFromFuture, onceward.ErrInProgress, retry.ErrNotSent, retry.ErrCutOff, retry.ErrReplyCut, retry.ErrAttemptTimeout} {
		if errors.Is(err, known) {
			c.w.saw("error: " + known.Error())
		}
	}
	c.w.note(wd.name, "%s %s: %s, %v: %.40q %v", c.name, how, out.end, fate, out.reply, short(err))
	c.w.add(c.number, input{kind: sent, intent: c.number, key: wd.key, how: how, other: how == changed}, out, called)
	return err
}

func short(err error) string {
	if err == nil {
		return "no error"
	}
	text := err.Error()
	return text[:min(len(text), 160)]
}

// effectIn reads which effect a reply names.
func effectIn(body []byte) int {
	var reply struct{ Effect int }
	if json.Unmarshal(body, &reply) != nil {
		return -1
	}
	return reply.Effect
}

// cancel asks a server to see to it that the operation will not run.
func (c *customer) cancel(wd *wanted) {
	p := c.w.fleet.in(c.r.IntN(servers))
	ctx, cancel := context.WithTimeout(context.Background(), 20*beat)
	defer cancel()
	called := c.w.tick()
	record, err := p.guard.Cancel(ctx, onceward.Cancellation{
		Scope: p.scope(c.principal), Key: wd.op.Key(), Actor: c.name, Reason: "has changed its mind",
	})
	if err != nil {
		return
	}
	wd.fate, wd.sure = onceward.Unknown, false
	if record.SafeNewKey {
		wd.fate, wd.sure = onceward.NotExecuted, true
	}
	c.w.note(wd.name, "%s cancels: safe_new_key %t", c.name, record.SafeNewKey)
	c.w.add(c.number, input{kind: settled, intent: c.number, key: wd.key, how: "cancel"}, output{end: endNotExecuted}, called)
}

// probe sends once more everything that is not settled, now that all is calm.
func (c *customer) probe(what string, allowed ...error) {
	for i, wd := range c.wants {
		if i < len(c.wants)-1 && !wd.sure { // it has a successor; only the record's word makes it safe to ask again
			continue
		}
		err := c.send(c.http, wd, what, 0)
		if wd.fate != onceward.Unknown {
			continue
		}
		fine := c.mistaken && errors.Is(err, onceward.ErrKeyReused)
		for _, a := range allowed {
			fine = fine || errors.Is(err, a)
		}
		if errors.Is(err, onceward.ErrOutcomeUnknown) && c.w.oracle.policy(wd.name) == store.Rerun {
			fine = false // what is to run again is never unknown for long
		}
		if errors.Is(err, onceward.ErrOutcomeUnknown) && c.w.ledger.hasReply(wd.name) {
			fine = false // a server that lives goes on saving
		}
		if errors.Is(err, onceward.ErrOutcomeUnknown) && c.w.neverRan(wd.name) {
			fine = false // and on taking back claims whose answers it did not get
		}
		if !fine {
			c.w.complain(c.number, "%s: in calm weather the operation %q still ends unknown: %v", what, wd.name, err)
		}
	}
}
