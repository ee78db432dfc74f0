package onceward

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// str hashes a string by its decoded bytes, so that A and \u0041 are the same. A lone surrogate counts as U+FFFD.
// Bytes that are not UTF-8 count as they are. It takes eight bytes at a time up to the first that is special, which is almost
// always the closing quote; that is what makes the hint cheap beside SHA-256.
func (s *jsonScanner) str() (hash uint64, ok bool) {
	hash = seedString
	at := s.at + 1
	for ; len(s.text)-at >= 8; at += 8 {
		word := binary.LittleEndian.Uint64(s.text[at:])
		special := specialBytes(word)
		if special == 0 {
			hash = fold(hash, word)
			continue
		}
		n := bits.TrailingZeros64(special) / 8
		if s.text[at+n] == '"' {
			s.at = at + n + 1
			return foldTail(hash, word, n), true
		}
		break
	}
	s.at = at
	return s.strByBytes(wordHash{hash: hash})
}

// strByBytes hashes the rest of a string with escapes in it or at the end of the text.
func (s *jsonScanner) strByBytes(w wordHash) (hash uint64, ok bool) {
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == '"':
			s.at++
			return w.sum(), true
		case c < 0x20:
			return 0, false
		case c == '\\':
			if !s.escape(&w) {
				return 0, false
			}
		default:
			w.add(c)
			s.at++
		}
	}
	return 0, false
}

// specialBytes sets the top bit of the first byte, from below, that is a quote, a backslash or a control character, and perhaps bits above it.
func specialBytes(word uint64) uint64 {
	const each, top = 0x0101010101010101, 0x8080808080808080
	quote, backslash := word^each*'"', word^each*'\\'
	return ((quote-each)&^quote | (backslash-each)&^backslash | (word-each*0x20)&^word) & top
}

// escape takes one escape sequence (RFC 8259 §7); at stands on the backslash.
func (s *jsonScanner) escape(w *wordHash) bool {
	if len(s.text)-s.at < 2 {
		return false
	}
	c := s.text[s.at+1]
	s.at += 2
	switch c {
	case '"', '\\', '/':
		w.add(c)
	case 'b':
		w.add('\b')
	case 'f':
		w.add('\f')
	case 'n':
		w.add('\n')
	case 'r':
		w.add('\r')
	case 't':
		w.add('\t')
	case 'u':
		return s.unicode(w)
	default:
		return false
	}
	return true
}

// unicode takes the four digits after \u and, behind a high surrogate, the low one.
func (s *jsonScanner) unicode(w *wordHash) bool {
	r, ok := s.hex4(s.at)
	if !ok {
		return false
	}
	s.at += 4
	if utf16.IsSurrogate(r) {
		pair := rune(utf8.RuneError)
		if len(s.text)-s.at >= 6 && s.text[s.at] == '\\' && s.text[s.at+1] == 'u' {
			if second, ok := s.hex4(s.at + 2); ok {
				pair = utf16.DecodeRune(r, second)
			}
		}
		if r = pair; r != utf8.RuneError {
			s.at += 6
		}
	}
	var encoded [utf8.UTFMax]byte
	for _, c := range encoded[:utf8.EncodeRune(encoded[:], r)] {
		w.add(c)
	}
	return true
}

func (s *jsonScanner) hex4(at int) (r rune, ok bool) {
	if len(s.text)-at < 4 {
		return 0, false
	}
	for _, c := range s.text[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= lower(c) && lower(c) <= 'f':
			r = r<<4 | rune(lower(c)-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// wordHash hashes a stream of bytes in little-endian words of eight.
type wordHash struct {
	hash uint64
	word uint64 // the bytes not yet folded in
	fill int    // how many they are, 0 to 7
}

func (w *wordHash) add(c byte) {
	w.word |= uint64(c) << (8 * w.fill)
	if w.fill++; w.fill == 8 {
		w.hash = fold(w.hash, w.word)
		w.word, w.fill = 0, 0
	}
}

func (w *wordHash) sum() uint64 { return foldTail(w.hash, w.word, w.fill) }

// foldTail ends a stream with the first n bytes of word, 0 to 7. Their number stands in the byte that is always free:
// it tells a last zero byte from none.
func foldTail(hash, word uint64, n int) uint64 {
	return fold(hash, word&(1<<(8*n)-1)|uint64(n+1)<<56)
}
