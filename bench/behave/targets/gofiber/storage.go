package gofiber

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// storage is a fiber.Storage in memory, like fiber's own default, that two servers can share and that can be taken away.
type storage struct {
	mu      sync.Mutex
	entries map[string]entry
	down    bool
}

type entry struct {
	value []byte
	ends  time.Time // zero: never
}

var errDown = errors.New("connection refused")

func newStorage() *storage { return &storage{entries: make(map[string]entry)} }

func (s *storage) switchTo(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = !up
}

func (s *storage) GetWithContext(ctx context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errDown
	}
	e, ok := s.entries[key]
	if !ok || !e.ends.IsZero() && time.Now().After(e.ends) {
		return nil, ctx.Err()
	}
	return bytes.Clone(e.value), ctx.Err()
}

func (s *storage) SetWithContext(ctx context.Context, key string, value []byte, lifetime time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return errDown
	case ctx.Err() != nil:
		return ctx.Err()
	case key == "" || len(value) == 0:
		return nil
	}
	e := entry{value: bytes.Clone(value)}
	if lifetime > 0 {
		e.ends = time.Now().Add(lifetime)
	}
	s.entries[strings.Clone(key)] = e
	return nil
}

func (s *storage) DeleteWithContext(ctx context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, key)
	return ctx.Err()
}

func (s *storage) ResetWithContext(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.entries)
	return ctx.Err()
}

func (s *storage) Get(key string) ([]byte, error) { return s.GetWithContext(context.Background(), key) }

func (s *storage) Set(key string, value []byte, lifetime time.Duration) error {
	return s.SetWithContext(context.Background(), key, value, lifetime)
}

func (s *storage) Delete(key string) error { return s.DeleteWithContext(context.Background(), key) }

func (s *storage) Reset() error { return s.ResetWithContext(context.Background()) }

func (s *storage) Close() error { return nil }
