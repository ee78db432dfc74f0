package pebblestore

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// count is what a bucket holds. Each step adds its difference to the stored count by a merge, so that no step reads or waits for it,
// and the count is as durable as the records.
type count struct{ done, bytes int64 }

func (c count) append(b []byte) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, c.done), c.bytes)
}

func (c *count) add(b []byte) error {
	done, n := binary.Varint(b)
	if n <= 0 {
		return fmt.Errorf("%w: a count", ErrCorrupt)
	}
	bytes, m := binary.Varint(b[n:])
	if m <= 0 || n+m != len(b) {
		return fmt.Errorf("%w: a count", ErrCorrupt)
	}
	c.done, c.bytes = c.done+done, c.bytes+bytes
	return nil
}

// MergeNewer implements [pebble.ValueMerger].
func (c *count) MergeNewer(value []byte) error { return c.add(value) }

// MergeOlder implements [pebble.ValueMerger]. A sum has no order.
func (c *count) MergeOlder(value []byte) error { return c.add(value) }

// Finish implements [pebble.ValueMerger].
func (c *count) Finish(bool) ([]byte, io.Closer, error) { return c.append(nil), nil, nil }

var counting = &pebble.Merger{
	Name: "onceward.count",
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		c := new(count)
		return c, c.add(value)
	},
}
