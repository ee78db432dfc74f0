package onceward

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// ErrReplyInvalid means that bytes are no saved reply of a version that this build reads, or that a reply cannot be saved.
var ErrReplyInvalid = errors.New("the saved reply is not valid")

// Limits of a saved reply. Its length is the guard's business.
const (
	MaxStatus      = math.MaxInt32
	MaxReplyFields = 10_000 // header and trailer together
)

// replyV1 is the first byte of
//
//	version · status · number of header fields · number of trailer fields · fields · length of body · body
//
// where a field is length, name, length, value, and numbers are unsigned varints in their shortest form.
const replyV1 = 1

// Size returns the exact number of bytes that AppendBinary appends.
func (r Reply) Size() int {
	n := 1 + varintLen(r.Status) + varintLen(len(r.Header)) + varintLen(len(r.Trailer)) + varintLen(len(r.Body)) + len(r.Body)
	for _, fields := range [...][]Field{r.Header, r.Trailer} {
		for _, f := range fields {
			n += varintLen(len(f.Name)) + len(f.Name) + varintLen(len(f.Value)) + len(f.Value)
		}
	}
	return n
}

// AppendBinary appends the reply in its stored form to b, growing it at most once and to no more than it needs. The error wraps ErrReplyInvalid, b is then unchanged.
func (r Reply) AppendBinary(b []byte) ([]byte, error) {
	if r.Status < 0 || r.Status > MaxStatus {
		return b, fmt.Errorf("%w: Status is %d; use 0 to %d", ErrReplyInvalid, r.Status, MaxStatus)
	}
	if n := len(r.Header) + len(r.Trailer); n > MaxReplyFields {
		return b, fmt.Errorf("%w: Header and Trailer have %d fields; use at most %d", ErrReplyInvalid, n, MaxReplyFields)
	}
	if size := r.Size(); cap(b)-len(b) < size {
		b = append(make([]byte, 0, len(b)+size), b...)
	}
	b = append(b, replyV1)
	b = binary.AppendUvarint(b, uint64(r.Status))
	b = binary.AppendUvarint(b, uint64(len(r.Header)))
	b = binary.AppendUvarint(b, uint64(len(r.Trailer)))
	for _, fields := range [...][]Field{r.Header, r.Trailer} {
		for _, f := range fields {
			b = append(binary.AppendUvarint(b, uint64(len(f.Name))), f.Name...)
			b = append(binary.AppendUvarint(b, uint64(len(f.Value))), f.Value...)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.Body)))
	return append(b, r.Body...), nil
}

// MarshalBinary returns the reply in its stored form.
func (r Reply) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }

// UnmarshalBinary reads a stored reply. It keeps nothing of b. The error wraps ErrReplyInvalid; r is then unchanged.
func (r *Reply) UnmarshalBinary(b []byte) error {
	decoded, err := DecodeReply(b)
	if err != nil {
		return err
	}
	decoded.Body = bytes.Clone(decoded.Body)
	*r = decoded
	return nil
}

// DecodeReply reads a stored reply without copying its body: Body is a part of b, which must not change while the reply is in use.
// It is strict: what is cut short, has bytes left over, or could have been written shorter is refused.
// Empty slices come back nil. The error wraps ErrReplyInvalid.
func DecodeReply(b []byte) (Reply, error) {
	if len(b) == 0 || b[0] != replyV1 {
		return Reply{}, fmt.Errorf("%w: unknown version; was it saved by a newer build?", ErrReplyInvalid)
	}
	d := replyDecoder{rest: b[1:]}
	status := d.number(MaxStatus)
	header := d.number(MaxReplyFields)
	trailer := d.number(MaxReplyFields - header)
	fields := d.fields(header + trailer)
	body := d.bytes()
	if d.failed || len(d.rest) != 0 {
		return Reply{}, fmt.Errorf("%w: %d bytes do not follow the format", ErrReplyInvalid, len(b))
	}
	reply := Reply{Status: status}
	if header > 0 {
		reply.Header = fields[:header:header]
	}
	if trailer > 0 {
		reply.Trailer = fields[header:]
	}
	if len(body) > 0 {
		reply.Body = body[:len(body):len(body)]
	}
	return reply, nil
}

// replyDecoder reads from the front of rest. After a fault it reads zeros.
type replyDecoder struct {
	rest   []byte
	failed bool
}

func (d *replyDecoder) number(limit int) int {
	n, size := binary.Uvarint(d.rest)
	if d.failed || size <= 0 || n > uint64(limit) || size != varintLen(int(n)) {
		d.failed = true
		return 0
	}
	d.rest = d.rest[size:]
	return int(n)
}

func (d *replyDecoder) bytes() []byte {
	n := d.number(len(d.rest))
	if n > len(d.rest) { // the number itself has taken some of rest
		d.failed = true
		n = 0
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

// fields reads count fields in two allocations: one for the list, one for the text of all. It looks at all of them
// before it makes the list, which is thus never larger than what the input pays for.
func (d *replyDecoder) fields(count int) []Field {
	start := *d
	for range 2 * count {
		d.bytes()
	}
	if d.failed || count == 0 {
		return nil
	}
	text := string(start.rest[:len(start.rest)-len(d.rest)])
	take := func() string {
		size := len(start.bytes())
		end := len(text) - (len(start.rest) - len(d.rest))
		return text[end-size : end]
	}
	list := make([]Field, count)
	for i := range list {
		list[i].Name = take()
		list[i].Value = take()
	}
	return list
}

// varintLen returns how many bytes n takes as an unsigned varint.
func varintLen(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }
