package onceward

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// sumMultipart hashes what b holds, the media type without its boundary, and the parts of a multipart body, each as its header
// lines and its content after their lengths. It reports false, and has hashed nothing, if the body is not well-formed.
func sumMultipart(b []byte, media *mediaType, body []byte) (sum [32]byte, ok bool) {
	boundary, ok := media.boundary()
	if !ok {
		return sum, false
	}
	var room [maxBoundary + 4]byte
	delimiter := append(append(room[:0], "\r\n--"...), boundary...)
	if !wellFormed(body, delimiter) {
		return sum, false
	}
	h := sha256.New()
	h.Write(append(media.appendTo(b, false), multipartBody))
	parts := openParts(body, delimiter)
	var lengths [1 + 8 + 8]byte
	lengths[0] = 1 // a part follows
	for {
		header, content, found := parts.next()
		if !found {
			break
		}
		binary.BigEndian.PutUint64(lengths[1:], uint64(len(header)))
		binary.BigEndian.PutUint64(lengths[9:], uint64(len(content)))
		h.Write(lengths[:])
		h.Write(header)
		h.Write(content)
	}
	lengths[0] = 0
	h.Write(lengths[:1])
	h.Sum(sum[:0])
	return sum, true
}

// wellFormed goes through all parts once, since it shows only at the end whether a body keeps to the grammar.
func wellFormed(body, delimiter []byte) bool {
	parts := openParts(body, delimiter)
	for {
		if _, _, found := parts.next(); !found {
			return parts.closed
		}
	}
}

// multipartParts reads a multipart body after the strict grammar of RFC 2046 §5.1.1: CRLF only, no preamble, no padding,
// nothing but a CRLF after the end. The boundary stands nowhere else, not even where the grammar allows it: a laxer reader, such as
// one that takes a bare line feed for the end of a line, would find more parts there than we. Whatever else comes counts byte by byte,
// which is never wrong, only stricter.
type multipartParts struct {
	rest      []byte
	delimiter []byte // CRLF "--" boundary
	closed    bool   // the closing delimiter was read, and nothing follows it
}

func openParts(body, delimiter []byte) multipartParts {
	rest, found := bytes.CutPrefix(body, delimiter[2:])
	if !found {
		rest = nil
	}
	return multipartParts{rest: rest, delimiter: delimiter}
}

// next returns the next part, or false at the end and at the first fault.
func (p *multipartParts) next() (header, content []byte, found bool) {
	if after, last := bytes.CutPrefix(p.rest, []byte("--")); last {
		p.closed = len(after) == 0 || string(after) == "\r\n"
		return nil, nil, false
	}
	if !bytes.HasPrefix(p.rest, []byte("\r\n")) {
		return nil, nil, false
	}
	end := bytes.Index(p.rest, p.delimiter[2:]) - 2
	if end < 0 || !bytes.HasPrefix(p.rest[end:], p.delimiter) {
		return nil, nil, false
	}
	part := p.rest[:end]
	p.rest = p.rest[end+len(p.delimiter):]
	// The CRLF of the delimiter line still stands in front, so that a part without header lines has its blank line, too.
	return bytes.Cut(part, []byte("\r\n\r\n"))
}
