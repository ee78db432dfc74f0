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
	s := jsonScanner{text: text}
	s.skipSpace()
	hash, ok := s.value(0)
	s.skipSpace()
	if !ok || s.at != len(s.text) {
		return 0
	}
	return max(finish(hash), 1)
}

type jsonScanner struct {
	text []byte
	at   int
}

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

// finish spreads every bit over all 64 (the finalizer of MurmurHash3), without which a sum of members would collide. Only members and the whole need it.
func finish(hash uint64) uint64 {
	hash ^= hash >> 33
	hash *= 0xff51afd7ed558ccd
	hash ^= hash >> 33
	hash *= 0xc4ceb9fe1a85ec53
	return hash ^ hash>>33
}

func (s *jsonScanner) value(depth int) (hash uint64, ok bool) {
	if s.at == len(s.text) {
		return 0, false
	}
	switch c := s.text[s.at]; c {
	case '"':
		return s.str()
	case '{':
		return s.object(depth + 1)
	case '[':
		return s.array(depth + 1)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

// object adds its members up, each finished by itself: a sum does not know their order.
func (s *jsonScanner) object(depth int) (hash uint64, ok bool) {
	var sum, count uint64
	if depth > maxJSONDepth {
		return 0, false
	}
	s.at++
	s.skipSpace()
	if s.take('}') {
		return fold(seedObject, 0), true
	}
	for {
		member, ok := s.member(depth)
		if !ok {
			return 0, false
		}
		sum += member
		count++
		s.skipSpace()
		if s.take('}') {
			return fold(fold(seedObject, sum), count), true
		}
		if !s.take(',') {
			return 0, false
		}
		s.skipSpace()
	}
}

func (s *jsonScanner) member(depth int) (hash uint64, ok bool) {
	if s.at == len(s.text) || s.text[s.at] != '"' {
		return 0, false
	}
	name, ok := s.str()
	if !ok {
		return 0, false
	}
	s.skipSpace()
	if !s.take(':') {
		return 0, false
	}
	s.skipSpace()
	value, ok := s.value(depth)
	return finish(fold(fold(seedMember, name), value)), ok
}

func (s *jsonScanner) array(depth int) (hash uint64, ok bool) {
	hash = seedArray
	if depth > maxJSONDepth {
		return 0, false
	}
	s.at++
	s.skipSpace()
	if s.take(']') {
		return fold(seedArray, 0), true
	}
	for count := uint64(1); ; count++ {
		element, ok := s.value(depth)
		if !ok {
			return 0, false
		}
		hash = fold(hash, element)
		s.skipSpace()
		if s.take(']') {
			return fold(hash, count), true
		}
		if !s.take(',') {
			return 0, false
		}
		s.skipSpace()
	}
}

func (s *jsonScanner) literal(word string) (hash uint64, ok bool) {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return 0, false
	}
	s.at += len(word)
	return fold(seedPlain, uint64(word[0])), true
}

// number follows RFC 8259 §6; its text is what counts.
func (s *jsonScanner) number() (hash uint64, ok bool) {
	from := s.at
	s.take('-')
	if !s.take('0') && !s.digits() {
		return 0, false
	}
	if s.take('.') && !s.digits() {
		return 0, false
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return 0, false
		}
	}
	return s.plain(from, s.at), true
}

// plain hashes text[from:to], by words where the text goes on long enough.
func (s *jsonScanner) plain(from, to int) uint64 {
	if n := to - from; n < 8 && len(s.text)-from >= 8 {
		return foldTail(seedPlain, binary.LittleEndian.Uint64(s.text[from:]), n)
	}
	w := wordHash{hash: seedPlain}
	for _, c := range s.text[from:to] {
		w.add(c)
	}
	return w.sum()
}

func (s *jsonScanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > from
}

func (s *jsonScanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *jsonScanner) skipSpace() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}
