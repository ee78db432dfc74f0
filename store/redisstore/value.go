package redisstore

import (
	"encoding/binary"
	"fmt"

	"github.com/onceward/onceward/store"
)

// A record is a string, laid out as lua/record.lua says: a head that scripts read and write, a body that never changes, the reply.
const (
	valueFormat = 1
	headSize    = 50
	bodySize    = 6 + 8 + 1 + 32 + 2 + 2 + 1 // and the strings
	mostHead    = headSize + bodySize + 2*store.MaxName + store.MaxKey
)

const (
	flagRerun = 1 << iota
	flagDoubted
	flagSafeNewKey
)

// latest is the last moment that a record can hold, in 48 bits: the year 10889.
const latest = store.Time(1<<48 - 1)

func append48(b []byte, t store.Time) []byte {
	t = min(max(t, 0), latest)
	return append(b, byte(t>>40), byte(t>>32), byte(t>>24), byte(t>>16), byte(t>>8), byte(t))
}

func read48(b []byte) store.Time {
	return store.Time(binary.BigEndian.Uint32(b))<<16 | store.Time(binary.BigEndian.Uint16(b[4:]))
}

// appendBody appends what a record keeps from its first claim to its end.
func appendBody(b []byte, who store.Identity, hint uint64, f store.Fingerprint) []byte {
	b = append48(b, who.Stamp)
	b = binary.BigEndian.AppendUint64(b, hint)
	b = append(append(b, f.Version), f.Sum[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(who.Service)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(who.Principal)))
	b = append(b, byte(len(who.Key)))
	return append(append(append(b, who.Service...), who.Principal...), who.Key...)
}

// decodeBody reads what appendBody wrote, and returns what stands behind it. Strings that are known's are known's own.
func decodeBody(b []byte, known store.Identity) (who store.Identity, hint uint64, f store.Fingerprint, rest []byte, ok bool) {
	if len(b) < bodySize {
		return who, 0, f, nil, false
	}
	who.ID, who.Stamp, hint = known.ID, read48(b), binary.BigEndian.Uint64(b[6:])
	f.Version = b[14]
	copy(f.Sum[:], b[15:47])
	s, p, k := int(binary.BigEndian.Uint16(b[47:])), int(binary.BigEndian.Uint16(b[49:])), int(b[51])
	b = b[bodySize:]
	if len(b) < s+p+k {
		return who, 0, f, nil, false
	}
	who.Service, who.Principal, who.Key = text(b[:s], known.Service), text(b[s:s+p], known.Principal), text(b[s+p:s+p+k], known.Key)
	return who, hint, f, b[s+p+k:], true
}

func text(b []byte, known string) string {
	if string(b) == known {
		return known
	}
	return string(b)
}

// decode reads a record; its reply aliases b. Known is whose it probably is, and has its id.
func decode(b []byte, known store.Identity) (r store.Record, err error) {
	if len(b) == 0 {
		return r, nil
	}
	if len(b) < headSize || b[0] != valueFormat {
		return r, fmt.Errorf("redisstore: record %v: %w", known.ID, store.ErrCorrupt)
	}
	var rest []byte
	var ok bool
	if r.Identity, r.Hint, r.Fingerprint, rest, ok = decodeBody(b[headSize:], known); !ok {
		return store.Record{}, fmt.Errorf("redisstore: record %v: %w", known.ID, store.ErrCorrupt)
	}
	r.State, r.End = store.State(b[1]), store.End(b[3])
	if b[2]&flagRerun != 0 {
		r.Policy = store.Rerun
	}
	r.Doubted, r.SafeNewKey = b[2]&flagDoubted != 0, b[2]&flagSafeNewKey != 0
	copy(r.Token[:], b[4:20])
	r.Version, r.Claims, r.FirstSeen = binary.BigEndian.Uint64(b[20:]), binary.BigEndian.Uint32(b[28:]), read48(b[44:])
	if r.State != store.Done {
		r.Lease = read48(b[32:])
		return r, nil
	}
	r.PurgeAt, r.DoneAt = read48(b[32:]), read48(b[38:])
	if r.End == store.EndReply {
		r.Reply = rest
	}
	return r, nil
}
