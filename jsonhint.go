package onceward

import (
	"encoding/binary"
	"math/bits"
)

// maxJSONDepth bounds the recursion on what a stranger sends.
const maxJSONDepth = 64

// jsonHint hashes one JSON text (RFC 8259) to 64 bits that do not depend on the order of object members, on insignificant white space and
// on how strings are escaped. Numbers count as they are written: 1 and 1.0 differ. 0 means that there is no hint: the
// text is malformed, empty, or nested deeper than maxJSONDepth.
//
// It is stored beside the fingerprint and so must stay the same across processes and versions. It allocates nothing.
func jsonHint(text []byte) uint64 {
	hash, at := jsonText(text).value(0, 0)
	if at == malformed || jsonText(text).skipSpace(at) != len(text) {
		return 0
	}
	return max(finish(hash), 1)
}

// jsonText is the text under a scanner. Its methods take and return where they stand, and return malformed at a fault;
// a position kept in memory makes the scan take twice as long (measured).
type jsonText []byte

const malformed = -1

// Seeds that keep the kinds of values apart: an empty string is no empty array.
const (
	seedString uint64 = 0xcbf29ce484222325 + iota // FNV-1a's offset basis
	seedPlain                                     // numbers, true, false, null
	seedArray
	seedObject
	seedMember
)

// fold takes a word in. It is FNV-1a's step on words of 64 bits; the rotation brings the upper bits, which multiplication never moves down, back.
func fold(hash, word uint64) uint64 {
	return bits.RotateLeft64((hash^word)*0x100000001b3, 29)
}

// finish spreads every bit over all 64 (the finalizer of MurmurHash3), without which a sum of members would collide.
// Only members and the whole need it.
func finish(hash uint64) uint64 {
	hash ^= hash >> 33
	hash *= 0xff51afd7ed558ccd
	hash ^= hash >> 33
	hash *= 0xc4ceb9fe1a85ec53
	return hash ^ hash>>33
}

// value takes a value and the white space before it.
func (t jsonText) value(at, depth int) (hash uint64, next int) {
	at = t.skipSpace(at)
	if at == len(t) {
		return 0, malformed
	}
	switch t[at] {
	case '"':
		return t.str(at + 1)
	case '{':
		return t.object(at+1, depth+1)
	case '[':
		return t.array(at+1, depth+1)
	case 't':
		return t.literal(at, "true")
	case 'f':
		return t.literal(at, "false")
	case 'n':
		return t.literal(at, "null")
	}
	return t.number(at)
}

// object adds its members up, each finished by itself: a sum does not know their order.
func (t jsonText) object(at, depth int) (hash uint64, next int) {
	if depth > maxJSONDepth {
		return 0, malformed
	}
	at = t.skipSpace(at)
	if t.is(at, '}') {
		return fold(seedObject, 0), at + 1
	}
	var sum uint64
	for count := uint64(1); ; count++ {
		var member uint64
		if member, at = t.member(at, depth); at == malformed {
			return 0, malformed
		}
		sum += member
		at = t.skipSpace(at)
		if t.is(at, '}') {
			return fold(fold(seedObject, sum), count), at + 1
		}
		if !t.is(at, ',') {
			return 0, malformed
		}
		at++
	}
}

func (t jsonText) member(at, depth int) (hash uint64, next int) {
	at = t.skipSpace(at)
	if !t.is(at, '"') {
		return 0, malformed
	}
	name, at := t.str(at + 1)
	if at == malformed {
		return 0, malformed
	}
	at = t.skipSpace(at)
	if !t.is(at, ':') {
		return 0, malformed
	}
	value, at := t.value(at+1, depth)
	return finish(fold(fold(seedMember, name), value)), at
}

func (t jsonText) array(at, depth int) (hash uint64, next int) {
	if depth > maxJSONDepth {
		return 0, malformed
	}
	at = t.skipSpace(at)
	if t.is(at, ']') {
		return fold(seedArray, 0), at + 1
	}
	hash = seedArray
	for count := uint64(1); ; count++ {
		var element uint64
		if element, at = t.value(at, depth); at == malformed {
			return 0, malformed
		}
		hash = fold(hash, element)
		at = t.skipSpace(at)
		if t.is(at, ']') {
			return fold(hash, count), at + 1
		}
		if !t.is(at, ',') {
			return 0, malformed
		}
		at++
	}
}

func (t jsonText) literal(at int, word string) (hash uint64, next int) {
	if len(t)-at < len(word) || string(t[at:at+len(word)]) != word {
		return 0, malformed
	}
	return fold(seedPlain, uint64(word[0])), at + len(word)
}

// number follows RFC 8259 §6; its text is what counts.
func (t jsonText) number(from int) (hash uint64, next int) {
	at := from
	if t.is(at, '-') {
		at++
	}
	first := at
	at = t.digits(at)
	if at == first || t[first] == '0' && at > first+1 {
		return 0, malformed
	}
	if t.is(at, '.') {
		first = at + 1
		if at = t.digits(first); at == first {
			return 0, malformed
		}
	}
	if t.is(at, 'e') || t.is(at, 'E') {
		first = at + 1
		if t.is(first, '+') || t.is(first, '-') {
			first++
		}
		if at = t.digits(first); at == first {
			return 0, malformed
		}
	}
	return t.plain(from, at), at
}

// plain hashes t[from:to], by words where the text goes on long enough.
func (t jsonText) plain(from, to int) uint64 {
	hash := seedPlain
	for ; to-from >= 8; from += 8 {
		hash = fold(hash, binary.LittleEndian.Uint64(t[from:]))
	}
	if len(t)-from >= 8 {
		return foldTail(hash, binary.LittleEndian.Uint64(t[from:]), to-from)
	}
	w := wordHash{hash: hash}
	for _, c := range t[from:to] {
		w.add(c)
	}
	return w.sum()
}

func (t jsonText) digits(at int) int {
	for at < len(t) && '0' <= t[at] && t[at] <= '9' {
		at++
	}
	return at
}

func (t jsonText) is(at int, c byte) bool { return at < len(t) && t[at] == c }

func (t jsonText) skipSpace(at int) int {
	for at < len(t) && t[at] <= ' ' && (t[at] == ' ' || t[at] == '\n' || t[at] == '\r' || t[at] == '\t') {
		at++
	}
	return at
}
