package oncehttp

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/onceward/onceward"
)

// serving is one keyed request on its way through the executor.
type serving struct {
	m    *middleware
	w    http.ResponseWriter
	r    *http.Request
	body []byte
	next http.Handler
	own  *capture // of the last run here; nil: nothing ran here

	// Values of the reply's header. They are the request's own, since outer middleware may write to what it finds there.
	window [1]string
	length [1]string
	values [6]string

	mu   sync.Mutex
	over bool  // the request has been answered: a run that comes now would have nothing to run on
	room *room // memory for body
}

// room is memory for a request's body.
type room struct{ bytes []byte }

// rooms are those of requests under which nothing ran: no handler has seen anything of them.
var rooms = sync.Pool{New: func() any { return &room{} }}

func (m *middleware) serving(w http.ResponseWriter, r *http.Request, next http.Handler) *serving {
	s := &serving{m: m, w: w, r: r, next: next, room: rooms.Get().(*room)}
	s.window[0] = m.window
	w.Header()[HeaderWindow] = s.window[:]
	return s
}

const maxKeptBody = 64 << 10 // bytes: a longer buffer is not kept for the next request

// leave ends the request.
func (s *serving) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.own == nil && cap(s.room.bytes) <= maxKeptBody {
		rooms.Put(s.room)
	}
}

// begin makes h's writer the one of the run at hand, unless the executor comes too late: an executor in front of another may have stopped waiting for it.
func (s *serving) begin(h *handling) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.own = &h.capture
	return true
}

var errRunTooLate = errors.New("oncehttp: the executor's Do has returned already")

// handling is what one run of the handler uses. A goroutine that the handler leaves behind may hold on to it, so that no other run may have it.
type handling struct {
	capture capture
	body    whole
}

func (s *serving) serve(call onceward.Call) {
	ended := false
	defer func() {
		if !ended && s.own != nil && s.own.live {
			s.cutOff()
		}
	}()
	result, err := s.m.exec.Do(s.r.Context(), call, s.run)
	switch {
	case s.own != nil && s.own.live && (err != nil || result.Replayed):
		// Bytes of a reply that is not the record's have left. The client must not take them for an answer: cut them short.
		panic(http.ErrAbortHandler)
	case err != nil:
		writeProblem(s.w, err)
	case s.own != nil && !result.Replayed && s.own.dropped && result.Standing == onceward.Saved:
		writeProblem(s.w, &onceward.Error{Op: "do", Key: call.Key, Err: onceward.ErrReplyNotKept, Hint: "the operation is done; its reply is too long for HTTP/1.0; read its result from the service"})
	case s.own != nil && !result.Replayed && !s.own.whole():
		// HTTP/1.1 shows a body that is too short; the end of an HTTP/2 stream looks like any other.
		if bodyAllowed(s.own.status) {
			s.own.finish(markOf(result.Standing))
			_ = http.NewResponseController(s.w).Flush()
		}
		panic(http.ErrAbortHandler)
	case s.own != nil && !result.Replayed:
		s.own.finish(markOf(result.Standing))
	default:
		s.give(result)
	}
	ended = true
	if s.own != nil {
		s.own.forget()
	}
}

// cutOff breaks off a reply of which something has left. Aborting the handler is not enough: a recoverer outside may swallow the panic, and
// net/http would then end the reply in good order.
func (s *serving) cutOff() {
	control := http.NewResponseController(s.w)
	if control.SetWriteDeadline(time.Unix(1, 0)) == nil {
		return
	}
	if conn, _, err := control.Hijack(); err == nil { // an outer writer that does not unwrap, such as go-zero's, may still be an http.Hijacker
		conn.Close()
	}
}

// run lets the handler work once; an executor may call it again.
func (s *serving) run(ctx context.Context, a onceward.Attempt) onceward.Outcome {
	h := new(handling)
	if !s.begin(h) {
		return onceward.FreeError(errRunTooLate)
	}
	s.own.begin(s.w, s.r, a)
	h.body.Reset(s.body)
	defer s.own.close()
	s.next.ServeHTTP(s.own, withBody(ctx, s.r, &h.body))
	s.own.close()
	reply := s.own.reply(s.m.kept)
	ending := endingOf(s.own.status, s.m.cfg.Statuses, a.Buffered)
	switch {
	case !s.own.whole(): // broken off, by a proxy's upstream for instance: not a reply that one could repeat
		return onceward.Outcome{Ending: onceward.EndDoubt, Reply: reply, Alone: true}
	case ending == onceward.EndSave && s.own.status >= 500 && !onceward.Started(ctx): // it failed before its start
		ending = onceward.EndFree
	case s.own.overflow && (ending == onceward.EndSave || ending == onceward.EndReject):
		return onceward.SaveNotKept(onceward.Reply{Status: reply.Status})
	}
	return onceward.Outcome{Ending: ending, Reply: reply, Alone: s.own.overflow || challenges(s.own.status)}
}

// challenges reports whether the reply is about its own caller's credentials, which are not kept and so not shared.
func challenges(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired
}

// give sends a reply out of the record, or out of another call of the operation.
func (s *serving) give(result onceward.Result) {
	h := s.w.Header()
	addFields(h, result.Reply.Header, s.values[2:])
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // the first reply went without: nobody shall guess
	}
	s.values[0] = markOf(result.Standing)
	h[HeaderOutcome] = s.values[:1:1]
	if result.Replayed {
		s.values[1] = "true"
		h[HeaderReplayed] = s.values[1:2:2]
	}
	for i, f := range result.Reply.Trailer {
		if i == 0 || f.Name != result.Reply.Trailer[i-1].Name {
			h.Add("Trailer", f.Name)
		}
	}
	if len(result.Reply.Trailer) == 0 && bodyAllowed(result.Reply.Status) {
		s.length[0] = strconv.Itoa(len(result.Reply.Body))
		h["Content-Length"] = s.length[:]
	}
	s.w.WriteHeader(result.Reply.Status)
	if bodyAllowed(result.Reply.Status) {
		_, _ = s.w.Write(result.Reply.Body) // the client may be gone; the record is not
	}
	for _, f := range result.Reply.Trailer {
		h.Del(f.Name)
	}
	for _, f := range result.Reply.Trailer {
		h.Add(f.Name, f.Value)
	}
}

// addFields puts the fields into h, in place of those of the same names: the handler's word counts more than outer middleware's, as it does in the
// first reply. room is for some of the values.
func addFields(h http.Header, fields []onceward.Field, room []string) {
	for _, f := range fields {
		h.Del(f.Name)
	}
	for i, f := range fields {
		name := http.CanonicalHeaderKey(f.Name)
		if len(h[name]) > 0 {
			h[name] = append(h[name], f.Value)
			continue
		}
		if len(room) == 0 {
			room = make([]string, len(fields)-i)
		}
		room[0] = f.Value
		h[name], room = room[:1:1], room[1:]
	}
}

// markOf is the standing as [HeaderOutcome] says it.
func markOf(s onceward.Standing) string {
	switch s {
	case onceward.Saved:
		return OutcomeSaved
	case onceward.Freed:
		return OutcomeFreed
	}
	return OutcomeDoubted
}
