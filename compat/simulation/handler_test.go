package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/onceward/onceward"
)

// How a handler ends, per mille; the rest answers 201 with the number of its effect.
var endings = []option{
	{"rejects", 60},                 // 422, no effect
	{"asks to come later", 60},      // 429, no effect
	{"says no effect", 40},          // 503, and vouches that nothing took effect
	{"fails before", 40},            // 503, no effect, and does not say so
	{"fails after", 40},             // 503 after its effect
	{"goes on after its reply", 40}, // 503 now, as http.TimeoutHandler; the effect comes later
	{"panics before", 40},
	{"panics after", 40},
	{"answers 500", 30}, // after its effect
	{"answers at length", 50},
	{"flushes", 60},
}

// noEffect are the endings that a handler chooses only if nothing of the operation can have happened before: with an effect in the ledger
// they would not be true.
var noEffect = []string{"rejects", "asks to come later", "says no effect"}

// work is one run of a handler, with what its dice have decided.
type work struct {
	*process
	run    *run
	route  string
	r      *rand.Rand
	ending string
	label  string
	other  bool // the body is not the intent's
	polite bool // ends when its context does
}

func (p *process) handler(route string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		operation := name(req.Header.Get("Principal"), req.Header.Get("Idempotency-Key"))
		body, _ := io.ReadAll(req.Body)
		h := &work{process: p, route: route, run: p.w.ledger.begin(p, operation)}
		h.other = strings.HasSuffix(string(body), changed)
		defer p.w.ledger.ends(h.run)
		h.label = fmt.Sprint("run ", operation, " ", h.run.number)
		h.r = p.w.roll(h.label)
		h.ending, h.polite = weighted(h.r, endings), h.r.IntN(2) == 0
		again := h.run.number > 1
		if again && (!p.w.stormy() || contains(noEffect, h.ending)) || p.w.now() > settling { // a store's clock that has leapt may have let a record go
			h.ending = ""
		}
		p.w.note(operation, "%s: run %d begins, %s", p.name, h.run.number, or(h.ending, "answers"))
		h.serve(req.Context(), w)
	})
}

func (h *work) serve(ctx context.Context, w http.ResponseWriter) {
	h.takeTime(ctx)
	if h.ending != "" {
		h.w.saw("handler: " + h.ending)
	}
	switch {
	case h.ending == "rejects":
		h.w.ledger.replies(h.run)
		answer(w, http.StatusUnprocessableEntity, 0)
		return
	case h.ending == "asks to come later":
		w.Header().Set("Retry-After", "2")
		answer(w, http.StatusTooManyRequests, 0)
		return
	case h.ending == "says no effect":
		_ = onceward.NoEffect(ctx)
		answer(w, http.StatusServiceUnavailable, 0)
		return
	case h.ending == "fails before", h.polite && ctx.Err() != nil:
		answer(w, http.StatusServiceUnavailable, 0)
		return
	case h.ending == "panics before":
		panic(http.ErrAbortHandler)
	}
	if err := onceward.Start(ctx); err != nil {
		h.w.saw("handler: start refused")
		answer(w, http.StatusServiceUnavailable, 0)
		return
	}
	if h.ending == "flushes" {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
		h.sleep(h.r.IntN(6))
	}
	h.act(ctx, w)
}

// act has the effect and answers.
func (h *work) act(ctx context.Context, w http.ResponseWriter) {
	child := ""
	if h.route == "child" {
		key, err := onceward.Child(ctx, "pay")
		h.w.must(err)
		child = fmt.Sprint(key.Text(), " ", h.other) // a downstream compares requests too
	}
	if h.ending == "goes on after its reply" {
		h.w.ledger.flies(h.run, 1)
		later := 1 + h.r.IntN(200)
		h.awakens(later, h.label+" later", func() { h.enter(child) })
		h.w.after(later+400, h.label+" given up", func() { h.w.ledger.flies(h.run, -1) })
		answer(w, http.StatusServiceUnavailable, 0)
		return
	}
	number, err := h.effect(child)
	switch {
	case errors.Is(err, errRefused):
		_ = onceward.NoEffect(ctx)
		h.fail(w)
	case err != nil:
		h.fail(w)
	case h.ending == "fails after":
		answer(w, http.StatusServiceUnavailable, 0)
	case h.ending == "panics after":
		panic(http.ErrAbortHandler)
	default:
		h.w.ledger.replies(h.run)
		h.succeed(w, number)
	}
}

func (h *work) succeed(w http.ResponseWriter, number int) {
	switch h.ending {
	case "answers 500":
		answer(w, http.StatusInternalServerError, number)
	case "answers at length":
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"effect":%d,"more":"%s"}`, number, strings.Repeat("x", 3000))
	default:
		answer(w, http.StatusCreated, number)
	}
}

// fail answers that the ledger has failed. If a success has gone out already there is only one way to take it back.
func (h *work) fail(w http.ResponseWriter) {
	if h.ending == "flushes" {
		panic(http.ErrAbortHandler)
	}
	answer(w, http.StatusServiceUnavailable, 0)
}

func answer(w http.ResponseWriter, status, number int) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"effect":%d}`, number)
}

// takeTime works for a while: some longer than the lease, some longer than the limit.
func (h *work) takeTime(ctx context.Context) {
	beats := 0
	switch x := h.r.IntN(100); {
	case x < 50:
	case x < 75:
		beats = 1 + h.r.IntN(6)
	case x < 90:
		beats = 10 + h.r.IntN(50)
	default:
		beats = 60 + h.r.IntN(140)
		h.w.saw("handler: works for longer than the lease")
	}
	if !h.w.stormy() {
		beats = min(beats, 6)
	}
	for range beats {
		if h.polite && ctx.Err() != nil {
			h.w.saw("handler: its limit is over")
			return
		}
		h.sleep(1)
	}
}

// sleep ends early only with the process.
func (h *work) sleep(beats int) {
	timer := time.NewTimer(time.Duration(beats) * beat)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-h.dead:
		panic(http.ErrAbortHandler)
	}
}

var (
	errRefused = errors.New("the ledger refuses")
	errNoReply = errors.New("the ledger does not answer")
)

// effect sends the effect to the ledger and waits for its number. What has been sent arrives, also when the process dies meanwhile.
func (h *work) effect(child string) (number int, err error) {
	if h.sleepWhileStalled(context.Background()) != nil {
		panic(http.ErrAbortHandler)
	}
	type reply struct {
		number int
		err    error
	}
	back := make(chan reply, 1)
	refused, lost := h.w.unlucky(h.r, 0.03), h.w.unlucky(h.r, 0.03)
	h.w.ledger.flies(h.run, 1)
	h.w.after(1+h.r.IntN(2), h.label+" effect", func() {
		var a reply
		if refused {
			a.err = errRefused
		} else {
			a.number = h.enter(child)
		}
		h.w.ledger.flies(h.run, -1)
		if lost && !refused {
			h.w.saw("ledger: reply lost")
			a = reply{err: errNoReply}
		}
		h.awakens(1, h.label+" effect answered", func() { back <- a })
	})
	select {
	case a := <-back:
		return a.number, a.err
	case <-h.dead:
		panic(http.ErrAbortHandler)
	}
}

// enter writes the effect into the ledger and the history.
func (h *work) enter(child string) int {
	number, fresh := h.w.ledger.enter(h.run, child)
	if fresh {
		h.w.happened(h.run.operation, number, h.other)
		h.w.note(h.run.operation, "EFFECT %d, run %d of %s", number, h.run.number, h.name)
	}
	return number
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
