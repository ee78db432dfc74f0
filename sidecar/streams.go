package sidecar

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// streams ends, when the proxy does, what has no end of its own. A reply that has begun and has no length is a stream: server-sent events, a
// WebSocket, chunks. It has some time from the signal on, or from its beginning if that comes later, and is cut off then.
type streams struct {
	draining context.Context // done: no more requests are taken
	drain    context.CancelFunc
	limit    time.Duration
	cut      atomic.Int64
}

func newStreams(limit time.Duration) *streams {
	s := &streams{limit: limit}
	s.draining, s.drain = context.WithCancel(context.Background())
	return s
}

var errDrained = errors.New("the proxy ends, and waits no longer for a stream")

// streamed is a request that is not keyed, on its way.
type streamed struct {
	bound func() // ends its reply some time after the proxy ends
	body  upload

	mu   sync.Mutex
	over bool // its handler has returned
}

// cutOff ends a reply that its client does not read, which holds its copier. After the handler has returned nobody may touch its writer: over HTTP/2 it is nobody's, or
// another request's.
func (on *streamed) cutOff(w http.ResponseWriter) {
	on.mu.Lock()
	defer on.mu.Unlock()
	if !on.over {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now())
	}
}

func (on *streamed) end() {
	on.mu.Lock()
	defer on.mu.Unlock()
	on.over = true
}

type streamKey struct{}

// streamedOf is nil for a keyed request.
func streamedOf(ctx context.Context) *streamed {
	s, _ := ctx.Value(streamKey{}).(*streamed)
	return s
}

// follow prepares a request that is not keyed. done is to be called when it is over.
func (s *streams) follow(w http.ResponseWriter, r *http.Request) (followed *http.Request, done func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	on := new(streamed)
	on.bound = func() {
		stop := context.AfterFunc(s.draining, func() {
			select {
			case <-ctx.Done():
			case <-time.After(s.limit):
				s.cut.Add(1)
				cancel(errDrained)
				on.cutOff(w)
			}
		})
		context.AfterFunc(ctx, func() { stop() })
	}
	r = r.WithContext(context.WithValue(ctx, streamKey{}, on))
	if r.Body != nil && r.Body != http.NoBody {
		on.body.ReadCloser, on.body.bare = r.Body, r.ProtoMajor == 1
		r.Body = &on.body
	}
	return r, func() {
		cancel(nil)
		on.body.leave(w)
		on.end()
	}
}

// began looks at a reply that is about to be passed on.
func (s *streams) began(resp *http.Response) error {
	on := streamedOf(resp.Request.Context())
	if on != nil && on.body.comes() {
		resp.Header.Set("Connection", "close")
	}
	if on != nil && (resp.ContentLength < 0 || resp.StatusCode == http.StatusSwitchingProtocols) {
		on.bound()
	}
	return nil
}
