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
