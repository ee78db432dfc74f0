package onceward

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

var replies = map[string]Reply{
	"zero": {},
	"full": {
		Status:  201,
		Header:  []Field{{"Content-Type", "application/json"}, {"X-A", "1"}, {"X-A", "2"}, {"X-Empty", ""}},
		Body:    []byte(`{"id":17}`),
		Trailer: []Field{{"Checksum", "ab"}},
	},
	"trailer only":   {Status: 5, Trailer: []Field{{"grpc-message", "näh"}}},
	"greatest":       {Status: MaxStatus, Header: make([]Field, MaxReplyFields)},
	"lengths of 128": {Status: 128, Header: []Field{{strings.Repeat("n", 127), strings.Repeat("v", 128)}}, Body: make([]byte, 16384)},
}

func encoded(t testing.TB, r Reply) []byte {
	t.Helper()
	b, err := r.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReplyComesBackAsItWas(t *testing.T) {
	for name, r := range replies {
		b := encoded(t, r)
		if len(b) != r.Size() || cap(b) > len(b)+len(b)/4+64 {
			t.Errorf("%s: %d bytes (room for %d), Size says %d", name, len(b), cap(b), r.Size())
		}
		var copied Reply
		if err := copied.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(copied, r) {
			t.Errorf("%s: %v", name, err)
		}
		shared, err := DecodeReply(b)
		if err != nil || !reflect.DeepEqual(shared, r) {
			t.Errorf("%s: %v", name, err)
		}
		clear(b)
		if !reflect.DeepEqual(copied, r) {
			t.Errorf("%s: UnmarshalBinary keeps its input", name)
		}
		if !reflect.DeepEqual(shared.Header, r.Header) || !reflect.DeepEqual(shared.Trailer, r.Trailer) {
			t.Errorf("%s: DecodeReply keeps its input in fields", name)
		}
	}
}

// Replies are stored: these bytes must be readable for ever.
func TestReplyGolden(t *testing.T) {
	want := "01" + "c901" + "04" + "01" + // version, status, counts
		"0c" + "436f6e74656e742d54797065" + "10" + "6170706c69636174696f6e2f6a736f6e" +
		"03582d41" + "0131" + "03582d41" + "0132" + "07582d456d707479" + "00" +
		"08436865636b73756d" + "026162" +
		"09" + "7b226964223a31377d"
	if got := hex.EncodeToString(encoded(t, replies["full"])); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestReplyAppendsBehindWhatIsThere(t *testing.T) {
	r := replies["full"]
	b, err := r.AppendBinary([]byte("head"))
	if err != nil || !bytes.Equal(b, append([]byte("head"), encoded(t, r)...)) {
		t.Errorf("%q, %v", b, err)
	}
	for _, bad := range []Reply{{Status: -1}, {Status: MaxStatus + 1}, {Header: make([]Field, MaxReplyFields), Trailer: make([]Field, 1)}} {
		if b, err := bad.AppendBinary([]byte("head")); !errors.Is(err, ErrReplyInvalid) || string(b) != "head" {
			t.Errorf("%v: %q, %v", bad, b, err)
		}
	}
}

func TestReplyDecodingIsStrict(t *testing.T) {
	good := encoded(t, replies["full"])
	bad := map[string][]byte{
		"one byte more":       append(bytes.Clone(good), 0),
		"version 0":           append([]byte{0}, good[1:]...),
		"version 2":           append([]byte{2}, good[1:]...),
		"long form of zero":   {1, 0x80, 0, 0, 0, 0},
		"status too large":    {1, 0x80, 0x80, 0x80, 0x80, 8, 0, 0, 0},
		"number too large":    {1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0},
		"fields from nowhere": {1, 0, 0x90, 0x4E, 0, 0},
		"too many fields":     {1, 0, 0x91, 0x4E, 0, 0},
		"too many together":   append([]byte{1, 0, 0x90, 0x4E, 1}, make([]byte, 30_000)...),
		"body from nowhere":   {1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 7},
		"body of its length":  {1, 0, 0, 0, 1},
	}
	for i := range good {
		bad[fmt.Sprintf("cut at %d", i)] = good[:i]
	}
	for name, b := range bad {
		r := Reply{Status: 7}
		if err := r.UnmarshalBinary(b); !errors.Is(err, ErrReplyInvalid) || r.Status != 7 {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

func TestReplyAllocatesLittle(t *testing.T) {
	r := replies["full"]
	b := encoded(t, r)
	if n := testing.AllocsPerRun(100, func() { _, _ = r.AppendBinary(nil) }); n != 1 {
		t.Errorf("encoding: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = DecodeReply(b) }); n != 2 {
		t.Errorf("decoding: %v allocations", n)
	}
}

func TestReplyNeverPrints(t *testing.T) {
	r := Reply{Status: 201, Header: []Field{{"Secretname", "secretvalue"}}, Body: []byte("secretbody"), Trailer: []Field{{"x", "secrettrailer"}}}
	var log bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb, r, &r, []Reply{r})
	}
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "reply", r, slog.Any("pointer", &r))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "reply", r, slog.Any("pointer", &r))
	out := strings.ToLower(log.String())
	for _, text := range []string{"secret", fmt.Sprintf("%x", "secret"), fmt.Sprintf("%v", []byte("secret"))[1:20]} {
		if strings.Contains(out, text) {
			t.Errorf("%q is in %s", text, out)
		}
	}
	if !strings.Contains(out, `"reply":{"status":201,"header":1,"bytes":10,"trailer":1}`) || !strings.Contains(out, "reply.status=201") {
		t.Errorf("the log does not say what it was: %s", out)
	}
}

func BenchmarkReply(b *testing.B) {
	r := replies["full"]
	r.Body = make([]byte, 1024)
	saved := encoded(b, r)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = r.AppendBinary(nil)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = DecodeReply(saved)
		}
	})
}
