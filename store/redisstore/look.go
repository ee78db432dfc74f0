package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/onceward/onceward/store"
)

// Look tells what a store at the address of [Open] promises, and changes nothing: it lays none out, and does not try privileges. Where there is none it says what one would promise, and
// returns [ErrNoStore] besides.
func Look(ctx context.Context, address string, c Config) (store.Traits, error) {
	o, c, err := parseURL(address, c)
	if err != nil {
		return store.Traits{}, fmt.Errorf("redisstore: the URL: %w", err)
	}
	c.Existing = true
	s, err := connect(o, c)
	if err != nil {
		return store.Traits{}, err
	}
	defer s.client.Close()
	if err = s.open(ctx); err != nil && !errors.Is(err, ErrNoStore) {
		return store.Traits{}, failed("look", err)
	}
	return s.traits, failed("look", err)
}

// Prefix is what the names of all keys begin with.
func (s *Store) Prefix() string { return s.config.Prefix }
