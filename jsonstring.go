package onceward

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// str hashes a string by its decoded bytes, so that A and \u0041 are the same. A lone surrogate counts as U+FFFD.
// Bytes that are not UTF-8 count as they are. It takes eight bytes at a time up to the first that is special, which is almost
// always the closing quote; that is what makes the hint cheap beside SHA-256. at is behind the opening quote.
func (t jsonText) str(at int) (hash uint64, next int) {
	hash = seedString
	for ; len(t)-at >= 8; at += 8 {
		word := binary.LittleEndian.Uint64(t[at:])
		special := specialBytes(word)
		if special == 0 {
			hash = fold(hash, word)
			continue
		}
		n := bits.TrailingZeros64(special) / 8
		if t[at+n] != '"' {
			break
		}
		return foldTail(hash, word, n), at + n + 1
	}
	return t.strByBytes(at, wordHash{hash: hash})
}

// specialBytes sets the top bit of the first byte, from below, that is a quote, a backslash or a control character, and perhaps bits above it.
func specialBytes(word uint64) uint64 {
	const each, top = 0x0101010101010101, 0x8080808080808080
	quote, backslash := word^each*'"', word^each*'\\'
	return ((quote-each)&^quote | (backslash-each)&^backslash | (word-each*0x20)&^word) & top
}

// strByBytes hashes the rest of a string with escapes in it or near the end of the text.
func (t jsonText) strByBytes(at int, w wordHash) (hash uint64, next int) {
	for at < len(t) {
		c := t[at]
		switch {
		case c == '"':
			return w.sum(), at + 1
		case c < 0x20:
			return 0, malformed
		case c == '\\':
			r, next := t.escape(at + 1)
			if next == malformed {
				return 0, malformed
			}
			at = next
			w.addRune(r)
		default:
			w.add(c)
			at++
		}
	}
	return 0, malformed
}

// escape takes what follows a backslash (RFC 8259 §7).
func (t jsonText) escape(at int) (r rune, next int) {
	if at == len(t) {
		return 0, malformed
	}
	switch c := t[at]; c {
	case '"', '\\', '/':
		return rune(c), at + 1
	case 'b':
		return '\b', at + 1
	case 'f':
		return '\f', at + 1
	case 'n':
		return '\n', at + 1
	case 'r':
		return '\r', at + 1
	case 't':
		return '\t', at + 1
	case 'u':
		return t.unicode(at + 1)
	}
	return 0, malformed
}

// unicode takes the four digits after \u and, behind a high surrogate, the escape of the low one.
func (t jsonText) unicode(at int) (r rune, next int) {
	r, at = t.hex4(at)
	if at == malformed || !utf16.IsSurrogate(r) {
		return r, at
	}
	if t.is(at, '\\') && t.is(at+1, 'u') {
		if second, behind := t.hex4(at + 2); behind != malformed {
			if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
				return pair, behind
			}
		}
	}
	return utf8.RuneError, at
}

func (t jsonText) hex4(at int) (r rune, next int) {
	if len(t)-at < 4 {
		return 0, malformed
	}
	for _, c := range t[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= lower(c) && lower(c) <= 'f':
			r = r<<4 | rune(lower(c)-'a'+10)
		default:
			return 0, malformed
		}
	}
	return r, at + 4
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

func (w *wordHash) addRune(r rune) {
	var encoded [utf8.UTFMax]byte
	for _, c := range encoded[:utf8.EncodeRune(encoded[:], r)] {
		w.add(c)
	}
}

func (w *wordHash) sum() uint64 { return foldTail(w.hash, w.word, w.fill) }

// foldTail ends a stream with the first n bytes of word, 0 to 7. Their number stands in the byte that is always free:
// it tells a last zero byte from none.
func foldTail(hash, word uint64, n int) uint64 {
	return fold(hash, word&(1<<(8*n)-1)|uint64(n+1)<<56)
}
