package pebble

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// bare is Pebble alone: two synced writes of the sizes of a claim and of a reply, with no lock, no index and no question.
type bare struct{ db *pebble.DB }

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) { panic("pebble") }

func newBare(dir string) (*bare, error) {
	db, err := pebble.Open(dir, &pebble.Options{MemTableSize: 16 << 20, MemTableStopWritesThreshold: 3, Logger: silent{}, FormatMajorVersion: pebble.FormatNewest, L0StopWritesThreshold: 1000})
	return &bare{db}, err
}

func (p *bare) cycle(i uint64) error {
	key := binary.BigEndian.AppendUint64(nil, i)
	key = append(key, noise[:36]...)
	if err := p.db.Set(key, noise[:claimSize], pebble.Sync); err != nil {
		return err
	}
	at := i * 7919 % uint64(len(noise)-doneSize)
	return p.db.Set(key, noise[at:at+uint64(doneSize)], pebble.Sync)
}
