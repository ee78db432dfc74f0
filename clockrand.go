package onceward

import (
	"crypto/rand"
	"fmt"
	"io"
	"time"
)

// readClock asks clock, or the real one if it is nil.
func readClock(clock func() time.Time) time.Time {
	if clock == nil {
		return time.Now()
	}
	return clock()
}

// fillRandom fills b from source, or from crypto/rand if it is nil.
func fillRandom(source io.Reader, b []byte) error {
	if source == nil {
		_, err := rand.Read(b) // never fails; the direct call keeps b off the heap
		return err
	}
	// A buffer of its own: what goes through an interface escapes, and the default must not pay for that.
	own := make([]byte, len(b))
	if _, err := io.ReadFull(source, own); err != nil {
		return fmt.Errorf("no key minted, the source of randomness failed: %w", err)
	}
	copy(b, own)
	return nil
}
