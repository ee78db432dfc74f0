package onceward

import (
	"bytes"
	"errors"
	"reflect"
	"runtime/metrics"
	"strings"
	"testing"
)

// FuzzDecodeReply: what is read can have been written in one way only, and costs no more memory than its bytes pay for, whatever lengths it claims.
func FuzzDecodeReply(f *testing.F) {
	for name, r := range replies {
		if name != "greatest" {
			f.Add(encoded(f, r))
		}
	}
	for _, b := range [][]byte{
		{}, {0}, {1}, {2, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0},
		{1, 0x80, 0, 0, 0, 0},                                        // zero in two bytes
		{1, 0xFF, 0xFF, 0xFF, 0xFF, 7, 0, 0, 0},                      // the greatest status
		{1, 0x80, 0x80, 0x80, 0x80, 8, 0, 0, 0},                      // one more
		{1, 0, 0x90, 0x4E, 0, 0},                                     // fields from nowhere
		{1, 0, 0x91, 0x4E, 0, 0},                                     // more fields than there may be
		append([]byte{1, 0, 0x90, 0x4E, 1}, make([]byte, 30_000)...), // header and trailer are too many together
		append([]byte{1, 0, 0x90, 0x4E, 0}, make([]byte, 20_001)...), // as many as there may be, all of them empty
		{1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 7},                      // a body from nowhere
		{1, 0, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0},
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		most := uint64(64<<10 + 32*len(b))
		if spent := cost(most, func() { _, _ = DecodeReply(b) }); spent > most {
			t.Fatalf("reading %d bytes took %d bytes of memory, most is %d", len(b), spent, most)
		}
		r, err := DecodeReply(b)
		var copied Reply
		if e := copied.UnmarshalBinary(b); (e == nil) != (err == nil) || !reflect.DeepEqual(copied, r) || !bytes.Equal(b, given) {
			t.Fatalf("DecodeReply says %v, %v, UnmarshalBinary %v, %v", r, err, copied, e)
		}
		if err != nil {
			if !errors.Is(err, ErrReplyInvalid) || !reflect.DeepEqual(r, Reply{}) {
				t.Fatalf("%v, %v", r, err)
			}
			return
		}
		// Strict means that there is one form only.
		if again := encoded(t, r); !bytes.Equal(again, b) || r.Size() != len(b) {
			t.Fatalf("%x was read, %x written", b, again)
		}
	})
}

// FuzzReply: whatever a handler has written, it comes back as it was; what cannot be saved is refused and leaves nothing behind.
func FuzzReply(f *testing.F) {
	f.Add(201, "Content-Type\x00application/json\x00X-A\x001\x00X-A\x002\x00X-Empty\x00", []byte(`{"id":17}`), "Checksum\x00ab")
	f.Add(0, "", []byte(nil), "")
	f.Add(-1, "a", []byte{}, "")
	f.Add(MaxStatus, "a\x00\x00\x00", []byte{0}, strings.Repeat("n", 127)+"\x00"+strings.Repeat("v", 128))
	f.Add(MaxStatus+1, "", []byte{1, 0, 0, 0, 0}, "x\x00\xff")
	f.Add(200, strings.Repeat("\x00", 2*MaxReplyFields), []byte{}, "")
	f.Fuzz(func(t *testing.T, status int, header string, body []byte, trailer string) {
		r := Reply{Status: status, Header: fieldsOf(header), Trailer: fieldsOf(trailer)}
		if len(body) > 0 {
			r.Body = body
		}
		b, err := r.AppendBinary([]byte("before"))
		if legal := status >= 0 && status <= MaxStatus && len(r.Header)+len(r.Trailer) <= MaxReplyFields; (err == nil) != legal {
			t.Fatalf("%v, legal is %v: %v", r, legal, err)
		}
		if err != nil {
			if string(b) != "before" || !errors.Is(err, ErrReplyInvalid) {
				t.Fatalf("%q, %v", b, err)
			}
			return
		}
		if len(b) != len("before")+r.Size() {
			t.Fatalf("%d bytes, Size says %d", len(b)-len("before"), r.Size())
		}
		if got, err := DecodeReply(b[len("before"):]); err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("wrote %#v, read %v, %v", r, got, err)
		}
	})
}

// fieldsOf cuts text into names and values.
func fieldsOf(text string) (fields []Field) {
	for text != "" {
		var f Field
		f.Name, text, _ = strings.Cut(text, "\x00")
		f.Value, text, _ = strings.Cut(text, "\x00")
		fields = append(fields, f)
	}
	return fields
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
