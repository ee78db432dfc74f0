package redisstore

import (
	"context"
	"encoding/binary"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
)

// waiting is who in this process waits for what. Whatever their number, the server sees one subscription, and for each record that is waited for one look now and then.
type waiting struct {
	s       *Store
	channel string
	mu      sync.Mutex
	records map[store.ID]*watched
	ctx     context.Context // ends with the store
	end     context.CancelFunc
	listen  sync.Once
}

// watched is a record that somebody waits for.
type watched struct {
	waiters int
	stop    context.CancelFunc
	news    chan struct{} // of the channel: look at once
	changed chan struct{} // closed, and replaced, after each look that shows another version
	known   bool
	absent  bool
	version uint64
	err     error
}

func (w *waiting) init(s *Store) {
	w.s, w.channel, w.records = s, s.config.Prefix+":news", map[store.ID]*watched{}
	w.ctx, w.end = context.WithCancel(context.Background())
}

// Wait implements [store.Protocol].
func (s *Store) Wait(ctx context.Context, who store.Identity, version uint64) error {
	if err := who.Validate(); err != nil {
		return err
	}
	if err := s.ready(ctx); err != nil {
		return failed("wait", err)
	}
	s.listen.Do(func() { go s.subscribe() })
	r := s.join(who)
	defer s.leave(who.ID, r)
	for {
		s.mu.Lock()
		over, err, changed := r.known && (r.absent || r.version != version), r.err, r.changed
		s.mu.Unlock()
		if over || err != nil {
			return failed("wait", err)
		}
		select {
		case <-changed:
		case <-s.closing:
			return store.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *waiting) join(who store.Identity) *watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.records[who.ID]
	if r == nil {
		r = &watched{news: make(chan struct{}, 1), changed: make(chan struct{})}
		var ctx context.Context
		ctx, r.stop = context.WithCancel(w.ctx)
		w.records[who.ID] = r
		go w.watch(ctx, who, r)
	}
	r.waiters++
	return r
}

func (w *waiting) leave(id store.ID, r *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.waiters--; r.waiters == 0 {
		r.stop()
		if w.records[id] == r {
			delete(w.records, id)
		}
	}
}

// watch looks at a record until nobody waits for it any more: at once, when there is news, and now and then.
func (w *waiting) watch(ctx context.Context, who store.Identity, r *watched) {
	pause := w.s.config.Poll / 4
	for {
		version, absent, err := w.s.look(ctx, who)
		if ctx.Err() != nil {
			return
		}
		w.tell(who.ID, r, version, absent, err)
		timer := time.NewTimer(jittered(pause))
		pause = min(2*pause, w.s.config.Poll)
		select {
		case <-r.news:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// tell wakes the waiters if there is something new. After an error they are told it, and who comes next has another look.
func (w *waiting) tell(id store.ID, r *watched, version uint64, absent bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && r.known && r.version == version && r.absent == absent {
		return
	}
	r.known, r.version, r.absent, r.err = err == nil, version, absent, err
	close(r.changed)
	r.changed = make(chan struct{})
	if err != nil && w.records[id] == r {
		delete(w.records, id)
		r.stop()
	}
}

// look reads a record's version, and leaves word on whose change the channel is told: for long enough until the next look.
func (s *Store) look(ctx context.Context, who store.Identity) (version uint64, absent bool, err error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		return 0, false, err
	}
	stay := (4*s.config.Poll + 4*s.config.Timeout).Milliseconds()
	args := []string{rueidis.BinaryString(s.begin(nil, s.number(who.ID))), who.Service, s.channel, strconv.FormatInt(stay, 10)}
	_, found, err := s.knowing(ctx, s.scripts.look, s.lookKeys(who), args)
	if err != nil || len(found) < 8 {
		return 0, err == nil, err
	}
	return binary.BigEndian.Uint64(found), false, nil
}

// subscribe listens on the one channel of this process, and again after each loss of the connection.
func (w *waiting) subscribe() {
	for w.ctx.Err() == nil {
		client := w.s.client
		_ = client.Receive(w.ctx, client.B().Subscribe().Channel(w.channel).Build(), func(m rueidis.PubSubMessage) { w.hear(m.Message) })
		timer := time.NewTimer(jittered(w.s.config.Poll)) // meanwhile they poll
		select {
		case <-timer.C:
		case <-w.ctx.Done():
		}
		timer.Stop()
	}
}

func (w *waiting) hear(id string) {
	if len(id) != len(store.ID{}) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.records[store.ID([]byte(id))]; r != nil {
		select {
		case r.news <- struct{}{}:
		default: // there is news already
		}
	}
}
