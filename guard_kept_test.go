package onceward_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// keepsADay is a store that remembers no stamped key for longer than a day and an hour.
type keepsADay struct{ store.Store }

func (s keepsADay) Traits() store.Traits {
	t := s.Store.Traits()
	t.MaxKept = 25 * time.Hour
	return t
}

// forgets is a store whose failover may forget a claim.
type forgets struct{ store.Store }

func (s forgets) Traits() store.Traits {
	t := s.Store.Traits()
	t.RerunOnly = true
	return t
}

// A guard does not promise at most once where the store refuses that, and says so before the first request.
func TestPromiseThatTheStoreCannotKeep(t *testing.T) {
	s := forgets{memstore.New(memstore.Config{})}
	if _, err := onceward.New(s, onceward.Config{}); !errors.Is(err, onceward.ErrConfig) || !strings.Contains(err.Error(), "OnLapse = MarkUnknown") {
		t.Errorf("under MarkUnknown: %v", err)
	}
	g, err := onceward.New(s, onceward.Config{OnLapse: onceward.Rerun})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.With(func(c *onceward.Config) { c.OnLapse = onceward.MarkUnknown }); !errors.Is(err, onceward.ErrConfig) {
		t.Errorf("a route under MarkUnknown: %v", err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A guard does not promise a window that its store cannot keep.
func TestWindowThatTheStoreCannotKeep(t *testing.T) {
	for skew, ok := range map[time.Duration]bool{time.Hour: true, time.Hour + 1: false} {
		g, err := onceward.New(keepsADay{memstore.New(memstore.Config{})}, onceward.Config{Window: 24 * time.Hour, Skew: skew})
		switch {
		case ok && err != nil:
			t.Error(err)
		case ok:
			if err := g.Close(t.Context()); err != nil {
				t.Error(err)
			}
		case !errors.Is(err, onceward.ErrConfig) || !strings.Contains(err.Error(), "Window = 24h0m0s") || !strings.Contains(err.Error(), "25h0m0s"):
			t.Errorf("skew %v: %v", skew, err)
		}
	}
}
