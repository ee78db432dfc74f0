package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/memstore"
)

// dying is a store that fails for good when its channel is closed.
type dying struct {
	store.Store
	failed chan struct{}
}

var errDisk = errors.New("the disk is gone")

func (d dying) Failed() <-chan struct{} { return d.failed }

func (d dying) Err() error {
	select {
	case <-d.failed:
		return errDisk
	default:
		return nil
	}
}

// A proxy whose store has failed for good is of no use: its end is an error, so that somebody starts it anew.
func TestAFailedStoreEndsTheProxy(t *testing.T) {
	up := serving(t, nil)
	cfg := Default()
	cfg.Upstream, cfg.Scope, cfg.Listen, cfg.Admin = up.URL, "global", "127.0.0.1:0", "127.0.0.1:0"
	log := newLines()
	s := dying{memstore.New(memstore.Config{}), make(chan struct{})}
	p, err := New(t.Context(), s, cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(context.WithoutCancel(t.Context())) }()
	b := &bench{t: t, url: log.find(t, "url=")}
	b.expect(b.send("POST", "/", "x", oncehttp.HeaderKey+": k"), 201, "saved")
	close(s.failed)
	if err := <-ended; !errors.Is(err, ErrStoreFailed) || !errors.Is(err, errDisk) {
		t.Errorf("%v; want %v and its cause", err, ErrStoreFailed)
	}
	if _, err := s.Stats(t.Context(), ""); !errors.Is(err, store.ErrClosed) {
		t.Errorf("the store is not closed: %v", err)
	}
}
