package store

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime/metrics"
	"slices"
	"testing"
)

// FuzzDecodeRecord: what is read can have been written in one way only, and nothing that a disk or a server holds costs more memory than it has bytes.
func FuzzDecodeRecord(f *testing.F) {
	good := AppendRecord(nil, exampleDone)
	f.Add(good)
	for n := range good {
		f.Add(good[:n])
	}
	rnd := rand.New(rand.NewPCG(1, 0))
	for range 10 {
		r := randomRecord(rnd)
		r.Reply = r.Reply[:min(len(r.Reply), 10)]
		f.Add(AppendRecord(nil, r))
	}
	f.Add(append([]byte{2}, good[1:]...)) // a version that is not known
	const counts, service = 3 + 33 + 8 + 16, 3 + 33 + 8 + 16 + 2 + 6 + 2 + 2 + 4
	with := func(at, length int, other ...byte) { f.Add(slices.Concat(good[:at], other, good[at+length:])) }
	with(counts, 1, 0x86, 0)                                                     // a small number written long
	with(counts, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)  // a number that never ends
	with(counts+1, 1, 0x80, 0x80, 0x80, 0x80, 0x10)                              // 1<<32 claims
	with(counts+2, 6, 0xC8, 0xA1, 0xAB, 0xFE, 0xF9, 0xE2, 0)                     // a time written long
	with(service, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01) // a length from nowhere
	with(service, 1, 0x81, 0x08)                                                 // a name that is one byte too long
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		most := uint64(64<<10 + 8*len(b))
		if spent := cost(most, func() { _, _ = DecodeRecord(ID{9}, b) }); spent > most {
			t.Fatalf("reading %d bytes took %d bytes of memory, most is %d", len(b), spent, most)
		}
		r, err := DecodeRecord(ID{9}, b)
		if !bytes.Equal(b, given) {
			t.Fatal("reading changed the bytes")
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || !reflect.DeepEqual(r, Record{}) {
				t.Fatalf("%+v, %v", r, err)
			}
			return
		}
		if again := AppendRecord(nil, r); !bytes.Equal(again, b) {
			t.Fatalf("%x was read, %x written", b, again)
		}
	})
}

// FuzzRecord: whatever a record's fields are, it comes back as it was, and is as short as promised.
func FuzzRecord(f *testing.F) {
	f.Add(uint64(1), "orders", "alice", "k", int64(1_700_000_000_000), int64(0), []byte("reply"))
	f.Add(uint64(0), "", "", "", int64(0), int64(0), []byte(nil))
	f.Add(uint64(math.MaxUint64), "\xff", "\x00", "é", int64(math.MaxInt64), int64(math.MinInt64), []byte{})
	f.Add(uint64(3<<5|1), "s", "p", "k", int64(math.MinInt64), int64(math.MaxInt64), []byte{0})
	f.Fuzz(func(t *testing.T, bits uint64, service, principal, key string, at, other int64, reply []byte) {
		if len(service) > MaxName || len(principal) > MaxName || len(key) > MaxKey {
			return
		}
		want := Record{
			Identity: Identity{ID: ID{7}, Service: service, Principal: principal, Key: key}, Hint: bits, State: State(1 + bits%3), Token: Token{byte(bits)},
			Policy: Policy(bits >> 2 & 1), Doubted: bits>>3&1 == 1, Claims: uint32(bits >> 13), FirstSeen: Time(at), Version: bits * bits,
		}
		if bits>>4&1 == 1 {
			want.Stamp = Time(other)
		}
		if version := uint8(bits >> 5); version != 0 {
			want.Fingerprint = Fingerprint{Version: version, Sum: [32]byte{31: byte(bits)}}
		}
		if want.State == Done {
			want.End, want.DoneAt, want.PurgeAt, want.SafeNewKey = End(1+bits>>7%4), Time(other), Time(at), bits>>9&1 == 1
			want.Reply = reply
		} else {
			want.Lease = Time(other)
		}
		b := AppendRecord([]byte("before"), want)
		if most := len("before") + len(service) + len(principal) + len(key) + len(want.Reply) + MaxEncodedOverhead; len(b) > most {
			t.Fatalf("%d bytes, promised at most %d", len(b), most)
		}
		got, err := DecodeRecord(want.ID, b[len("before"):])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("wrote %+v\nread %+v, %v", want, got, err)
		}
	})
}

// cost is how many bytes f allocates. The runtime counts small ones late, and others' as well; what is over most is measured again.
func cost(most uint64, f func()) uint64 {
	var spent uint64
	for range 5 {
		before := allocated()
		f()
		if spent = allocated() - before; spent <= most {
			break
		}
	}
	return spent
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
