package redisstore

import (
	"context"

	"github.com/onceward/onceward/store"
)

// Report is what a store holds, for a person who looks.
type Report struct {
	Prefix   string
	Shards   int
	Stats    store.Stats // of all services together
	Services map[string]Holding
}

// Holding is what a [Report] says of one service.
type Holding struct {
	Watermark store.Time
	Done      int64
}

// Report counts what the store holds, by its indexes.
func (s *Store) Report(ctx context.Context) (Report, error) {
	st, err := s.Stats(ctx, "")
	if err != nil {
		return Report{}, err
	}
	c, err := s.counts(ctx)
	if err != nil {
		return Report{}, err
	}
	r := Report{Prefix: s.config.Prefix, Shards: len(s.tags), Stats: st, Services: map[string]Holding{}}
	for service, mark := range c.watermark {
		r.Services[service] = Holding{mark, c.done[service]}
	}
	return r, nil
}
