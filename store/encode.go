package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The encoding of a record, version 1; docs/decisions/0001 has the table. The id is not part of it: it is the key
// under which a store keeps the bytes. Integers are varints (encoding/binary), times of one record are differences.
//
//	version  1 byte
//	flags    1 byte   state (2 bits), policy, doubted, safe new key, stamped, fingerprint present, reply present
//	end      1 byte
//	print    33 bytes version and sum, if present
//	hint     8 bytes
//	token    16 bytes
//	counts   record version, claims
//	times    first seen; stamp − first seen if stamped; open: lease − first seen; done: done − first seen, purge − done
//	strings  service, principal, key, each with its length
//	reply    the rest
const encodingVersion = 1

const (
	flagStateMask  = 0b11
	flagRerun      = 1 << 2
	flagDoubted    = 1 << 3
	flagSafeNewKey = 1 << 4
	flagStamped    = 1 << 5
	flagPrint      = 1 << 6
	flagReply      = 1 << 7
)

// AppendRecord appends the encoding of r, without its id, to b.
func AppendRecord(b []byte, r Record) []byte {
	b = append(b, encodingVersion, recordFlags(r), byte(r.End))
	if r.Fingerprint.Version != 0 {
		b = append(append(b, r.Fingerprint.Version), r.Fingerprint.Sum[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, r.Hint)
	b = append(b, r.Token[:]...)
	b = binary.AppendUvarint(b, r.Version)
	b = binary.AppendUvarint(b, uint64(r.Claims))
	b = binary.AppendVarint(b, int64(r.FirstSeen))
	if r.Stamp != 0 {
		b = binary.AppendVarint(b, int64(r.Stamp-r.FirstSeen))
	}
	if r.State == Done {
		b = binary.AppendVarint(b, int64(r.DoneAt-r.FirstSeen))
		b = binary.AppendVarint(b, int64(r.PurgeAt-r.DoneAt))
	} else {
		b = binary.AppendVarint(b, int64(r.Lease-r.FirstSeen))
	}
	for _, s := range [...]string{r.Service, r.Principal, r.Key} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return append(b, r.Reply...)
}

// MaxEncodedOverhead bounds what AppendRecord adds to the lengths of the strings and the reply, in bytes.
const MaxEncodedOverhead = 3 + 33 + 8 + 16 + 10*6 + 3*3

func recordFlags(r Record) byte {
	f := byte(r.State) & flagStateMask
	for _, bit := range [...]struct {
		set  bool
		flag byte
	}{
		{r.Policy == Rerun, flagRerun}, {r.Doubted, flagDoubted}, {r.SafeNewKey, flagSafeNewKey},
		{r.Stamp != 0, flagStamped}, {r.Fingerprint.Version != 0, flagPrint}, {r.Reply != nil, flagReply},
	} {
		if bit.set {
			f |= bit.flag
		}
	}
	return f
}

// ErrCorrupt is what DecodeRecord's errors wrap: the bytes are not a record that this build can read.
var ErrCorrupt = errors.New("store: not a readable record")

// DecodeRecord reads what AppendRecord wrote, and only that: a record has one encoding. The reply aliases b.
func DecodeRecord(id ID, b []byte) (Record, error) { return DecodeRecordOf(Identity{ID: id}, b) }

// DecodeRecordOf is DecodeRecord for a caller who knows whose record it should be: names that are the same are who's own strings, and
// need no memory. What is read never depends on who.
func DecodeRecordOf(who Identity, b []byte) (Record, error) {
	d := decoder{b: b}
	if v := d.byte(); v != encodingVersion {
		return Record{}, fmt.Errorf("%w: encoding version %d, this build reads %d", ErrCorrupt, v, encodingVersion)
	}
	flags := d.byte()
	r := Record{
		State:      State(flags & flagStateMask),
		Doubted:    flags&flagDoubted != 0,
		SafeNewKey: flags&flagSafeNewKey != 0,
		End:        End(d.byte()),
	}
	r.ID = who.ID
	if flags&flagRerun != 0 {
		r.Policy = Rerun
	}
	if flags&flagPrint != 0 {
		r.Fingerprint.Version = d.byte()
		copy(r.Fingerprint.Sum[:], d.take(len(r.Fingerprint.Sum)))
		d.must(r.Fingerprint.Version != 0)
	}
	if hint := d.take(8); hint != nil {
		r.Hint = binary.BigEndian.Uint64(hint)
	}
	copy(r.Token[:], d.take(len(r.Token)))
	r.Version = d.uvarint()
	claims := d.uvarint()
	d.must(claims <= math.MaxUint32)
	r.Claims = uint32(claims)
	d.times(&r, flags)
	r.Service, r.Principal, r.Key = d.string(MaxName, who.Service), d.string(MaxName, who.Principal), d.string(MaxKey, who.Key)
	if flags&flagReply != 0 {
		r.Reply = d.b
	} else {
		d.must(len(d.b) == 0)
	}
	if d.failed || r.State == Absent || r.End > EndCancelled || (r.State == Done) != (r.End != EndNone) {
		return Record{}, fmt.Errorf("%w: truncated or damaged", ErrCorrupt)
	}
	return r, nil
}

// decoder takes bytes off the front; once something is missing it has failed and yields zeros.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.failed, d.b = true, nil
		return nil
	}
	head := d.b[:n]
	d.b = d.b[n:]
	return head
}

// must fails the decoder if what was read cannot have been written: two encodings of one record would break checksums and comparisons.
func (d *decoder) must(ok bool) {
	if !ok {
		d.failed, d.b = true, nil
	}
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 { // AppendUvarint writes no zeros at the end
		n = -1
	}
	d.take(n)
	return v
}

func (d *decoder) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) times(r *Record, flags byte) {
	r.FirstSeen = Time(d.varint())
	if flags&flagStamped != 0 {
		r.Stamp = r.FirstSeen + Time(d.varint())
		d.must(r.Stamp != 0)
	}
	if r.State == Done {
		r.DoneAt = r.FirstSeen + Time(d.varint())
		r.PurgeAt = r.DoneAt + Time(d.varint())
		return
	}
	r.Lease = r.FirstSeen + Time(d.varint())
}

func (d *decoder) string(limit int, known string) string {
	n := d.uvarint()
	if n > uint64(limit) {
		d.must(false)
		return ""
	}
	text := d.take(int(n))
	if string(text) == known {
		return known
	}
	return string(text)
}
