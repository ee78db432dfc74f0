package sidecar

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size. Its text is a whole number, with KiB, MiB or GiB behind it or nothing for bytes.
type Bytes int64

var units = []struct {
	name string
	size Bytes
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *Bytes) UnmarshalText(text []byte) error {
	for _, unit := range units {
		number, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 63)
		if err != nil || n > uint64(math.MaxInt64/unit.size) {
			break
		}
		*b = Bytes(n) * unit.size
		return nil
	}
	return fmt.Errorf("%q is no size: write 64MiB, 512KiB or a number of bytes", text)
}

// MarshalText implements [encoding.TextMarshaler].
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String writes the size in the largest unit that leaves a whole number.
func (b Bytes) String() string {
	for _, unit := range units[:3] {
		if b != 0 && b%unit.size == 0 {
			return strconv.FormatInt(int64(b/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
