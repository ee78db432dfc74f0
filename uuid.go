package onceward

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrClockRange means that the clock shows a time that the kind of key cannot carry. Correct the clock.
var ErrClockRange = errors.New("no key minted, the clock is out of range")

// UUIDv4 mints random UUIDs (RFC 9562 §5.4) in their 36-character lower-case text. The zero value is ready to use.
type UUIDv4 struct {
	Rand io.Reader // default: crypto/rand
}

// Mint returns a new key. It fails only if Rand does.
func (m UUIDv4) Mint() (Key, error) {
	var u uuid
	if err := fillRandom(m.Rand, u[:]); err != nil {
		return Key{}, err
	}
	u.brand(4)
	return Key{text: u.text()}, nil
}

// UUIDv7 mints time-ordered UUIDs (RFC 9562 §5.7) in their 36-character lower-case text. The zero value is ready to use.
//
// A server takes such a key as unstamped unless it opts in: elsewhere a UUIDv7 may be the old id of an entity.
type UUIDv7 struct {
	Clock func() time.Time // default: time.Now
	Rand  io.Reader        // default: crypto/rand
}

// Mint returns a new key. It fails if Rand does, and with ErrClockRange before 1970.
func (m UUIDv7) Mint() (Key, error) {
	u, err := newUUIDv7(m.Clock, m.Rand)
	if err != nil {
		return Key{}, err
	}
	return Key{text: u.text()}, nil
}

// UUIDv7Time returns the mint time of a key that is the text of a UUIDv7, in either case of its digits, to the millisecond.
// A server may opt in to take it as a stamp; [Key.Stamp] does not. The epoch itself does not count as a time.
func (k Key) UUIDv7Time() (time.Time, bool) {
	u, ok := parseUUID(k.text)
	if !ok {
		return time.Time{}, false
	}
	return u.time7()
}

// uuid is the 16 bytes of RFC 9562 §4.
type uuid [16]byte

func newUUIDv7(clock func() time.Time, random io.Reader) (uuid, error) {
	var u uuid
	if err := fillRandom(random, u[6:]); err != nil {
		return uuid{}, err
	}
	t := readClock(clock)
	ms := t.UnixMilli()
	if ms <= 0 || ms >= 1<<48 {
		return uuid{}, fmt.Errorf("%w: %s; a UUIDv7 holds the 48 bits of milliseconds after 1970", ErrClockRange, t.UTC().Format(time.RFC3339))
	}
	u.setMillis(ms)
	u.brand(7)
	return u, nil
}

// brand sets the version and the variant bits.
func (u *uuid) brand(version byte) {
	u[6] = u[6]&0x0F | version<<4
	u[8] = u[8]&0x3F | 0x80
}

func (u *uuid) setMillis(ms int64) {
	binary.BigEndian.PutUint16(u[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(u[2:], uint32(ms))
}

func (u *uuid) millis() int64 {
	return int64(binary.BigEndian.Uint16(u[0:]))<<32 | int64(binary.BigEndian.Uint32(u[2:]))
}

// time7 returns the time in a UUIDv7. Zero milliseconds are refused because store.Time uses zero for "unstamped".
func (u *uuid) time7() (time.Time, bool) {
	ms := u.millis()
	if u[6]>>4 != 7 || u[8]>>6 != 2 || ms == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}

const uuidTextLen = 36

func (u *uuid) text() string {
	var b [uuidTextLen]byte
	hex.Encode(b[0:8], u[0:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:36], u[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

func parseUUID(text string) (u uuid, ok bool) {
	if len(text) != uuidTextLen || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return uuid{}, false
	}
	var digits [32]byte
	copy(digits[0:], text[0:8])
	copy(digits[8:], text[9:13])
	copy(digits[12:], text[14:18])
	copy(digits[16:], text[19:23])
	copy(digits[20:], text[24:36])
	_, err := hex.Decode(u[:], digits[:])
	return u, err == nil
}
