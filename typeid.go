package onceward

import (
	"encoding/binary"
	"io"
	"strings"
	"time"
)

// TypeID mints the default keys: "once_" and the 26 characters in which the TypeID specification (v0.3) writes a UUIDv7,
// 31 in all. The zero value is ready to use.
//
// Such a key is stamped: its mint time, in milliseconds, is part of its identity. It holds 74 random bits beside it.
type TypeID struct {
	Clock func() time.Time // default: time.Now
	Rand  io.Reader        // default: crypto/rand
}

// Mint returns a new key. It fails if Rand does, and with ErrClockRange before 1970.
func (m TypeID) Mint() (Key, error) {
	u, err := newUUIDv7(m.Clock, m.Rand)
	if err != nil {
		return Key{}, err
	}
	return typeIDKey(u), nil
}

// Stamp returns when the key was minted, to the millisecond, if the key says so: only "once_" and the valid TypeID of a UUIDv7 do.
// Everything else is unstamped, however much it looks like a time; the epoch itself does not count as a time.
func (k Key) Stamp() (time.Time, bool) {
	suffix, found := strings.CutPrefix(k.text, typeIDPrefix)
	if !found {
		return time.Time{}, false
	}
	u, ok := parseTypeIDSuffix(suffix)
	if !ok {
		return time.Time{}, false
	}
	return u.time7()
}

const (
	typeIDPrefix    = "once_"
	typeIDSuffixLen = 26
	typeIDAlphabet  = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's base32, lower case only
)

// typeIDDigit is the inverse of typeIDAlphabet; noDigit marks what is not in it.
var typeIDDigit = func() (digit [256]byte) {
	for i := range digit {
		digit[i] = noDigit
	}
	for i := range len(typeIDAlphabet) {
		digit[typeIDAlphabet[i]] = byte(i)
	}
	return digit
}()

const noDigit = 0xFF

func typeIDKey(u uuid) Key {
	var b [len(typeIDPrefix) + typeIDSuffixLen]byte
	copy(b[:], typeIDPrefix)
	putTypeIDSuffix(b[len(typeIDPrefix):], u)
	return Key{text: string(b[:])}
}

// putTypeIDSuffix writes the 128 bits as 26 digits of 5 bits, the first of which has only 3.
func putTypeIDSuffix(b []byte, u uuid) {
	high, low := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	for i := typeIDSuffixLen - 1; i >= 0; i-- {
		b[i] = typeIDAlphabet[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
}

func parseTypeIDSuffix(suffix string) (u uuid, ok bool) {
	// A first digit above 7 would need a 129th bit.
	if len(suffix) != typeIDSuffixLen || suffix[0] > '7' {
		return uuid{}, false
	}
	var high, low uint64
	for i := range len(suffix) {
		digit := typeIDDigit[suffix[i]]
		if digit == noDigit {
			return uuid{}, false
		}
		high = high<<5 | low>>59
		low = low<<5 | uint64(digit)
	}
	binary.BigEndian.PutUint64(u[:8], high)
	binary.BigEndian.PutUint64(u[8:], low)
	return u, true
}
