package onceward

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// The hint is stored: these were computed with another implementation and must never change.
func TestJSONHintGolden(t *testing.T) {
	for text, want := range map[string]uint64{
		`{}`:                  0x5209b812408f1491,
		`[]`:                  0x2714d91e211e68e8,
		`""`:                  0xf1695c9543341e3,
		`-1.5e+3`:             0xa9062eba870dc3de,
		`{"sku":"b-1","n":2}`: 0xfb35280cefe2ad81,
		`[true,false,null,"exactly8","Grüße ☃ and more than one word",{"a":[1,[2]]}]`: 0x860175d63b1b9055,
	} {
		if got := jsonHint([]byte(text)); got != want {
			t.Errorf("%s: %#x, want %#x", text, got, want)
		}
	}
}

func TestJSONHintTakesForTheSame(t *testing.T) {
	for _, same := range [][]string{
		{`{"a":1,"b":[1,{"c":2,"d":3}]}`, `{"b":[1,{"d":3,"c":2}],"a":1}`, " {\n\"b\" : [ 1 ,\t{ \"d\":3 , \"c\":2 } ] , \"a\" : 1 }\r\n"},
		{`"A/<\u2603\n"`, `"\u0041\/\u003C☃\n"`, `"\u0041/\u003c\u2603\u000a"`},
		{`"😀 and so on"`, `"\ud83d\uDE00 and so on"`},
		{`"\ud83d"`, `"\ude00"`, `"�"`},
		{`"abcdefghijklmnop"`, `"\u0061bcdefghijklmnop"`, `"abcdefgh\u0069jklmnop"`, `"abcdefghijklmno\u0070"`},
		{`{"a":1,"a":2}`, `{"a":2,"a":1}`},
	} {
		for _, text := range same {
			if got, want := jsonHint([]byte(text)), jsonHint([]byte(same[0])); got != want || got == 0 {
				t.Errorf("%s: %#x, %s: %#x", text, got, same[0], want)
			}
		}
	}
}

func TestJSONHintKeepsApart(t *testing.T) {
	seen := map[uint64]string{}
	texts := []string{
		`{}`, `[]`, `""`, `0`, `"0"`, `-0`, `1`, `1.0`, `10`, `true`, `false`, `null`, `"true"`, `"null"`, `[[]]`, `[{}]`, `{"":{}}`, `{"":[]}`,
		`[1,2]`, `[2,1]`, `[12]`, `[[1],2]`, `[[1,2]]`, `[1,[2]]`, `["1,2"]`, `{"a":1}`, `{"a":"1"}`, `{"b":1}`, `{"1":"a"}`, `{"a":{"b":1}}`, `{"b":{"a":1}}`,
		`{"a":1,"b":2}`, `{"a":2,"b":1}`, `{"a":1,"a":1}`, `{"a":1,"a":1,"a":1}`, `{"a":{"c":1},"b":{"d":2}}`, `{"a":{"d":2},"b":{"c":1}}`,
		`{"a":{"c":1,"d":2}}`, `{"a":{"c":1},"d":2}`, `"\u0000"`, `"\u0000\u0000"`, `"abcdefgh"`, `"abcdefgh\u0000"`, `"abcdefghi"`, `"Ab"`, `"ab"`, `"ba"`, `"ä"`, `"a\u0308"`,
	}
	for i := range 2000 {
		texts = append(texts, fmt.Sprintf(`{"amount":%d,"to":"acct-%d"}`, i%50+100, i/50), fmt.Sprintf(`[%d,"%d"]`, i%50+100, i/50))
	}
	for _, text := range texts {
		hint := jsonHint([]byte(text))
		if other, twice := seen[hint]; twice || hint == 0 {
			t.Errorf("%s and %s: %#x", text, other, hint)
		}
		seen[hint] = text
	}
}

func TestJSONHintRefuses(t *testing.T) {
	for _, text := range []string{
		"", " ", "{", "}", "[", "]", `"`, `"\`, `"\u`, `"\u00g0"`, `"\x"`, "\"\n\"", "\"12345678\x01\"", "01", "-", "1.", ".5", "1e", "+1", "1 2", "tru", "truely", "nulL", "NaN",
		"[1,]", "[,1]", "[1 2]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`, `{} {}`, "[1}", `{"a":1]`, "'a'", "\xef\xbb\xbf{}", "{}\x00",
	} {
		if got := jsonHint([]byte(text)); got != 0 {
			t.Errorf("%q has the hint %#x", text, got)
		}
	}
	nested := func(depth int) []byte {
		return []byte(strings.Repeat("[", depth-1) + "{}" + strings.Repeat("]", depth-1))
	}
	if jsonHint(nested(maxJSONDepth)) == 0 || jsonHint(nested(maxJSONDepth+1)) != 0 {
		t.Error("the limit of depth is not where it should be")
	}
}

// shuffled writes v as JSON with members in random order, white space and escapes strewn in.
func shuffled(r *rand.Rand, b []byte, v any) []byte {
	space := func() { b = append(b, []string{"", " ", "\n\t", "\r "}[r.IntN(4)]...) }
	space()
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		b = append(b, '{')
		for i, name := range names {
			if i > 0 {
				b = append(b, ',')
			}
			b = shuffled(r, b, name)
			b = append(b, ':')
			b = shuffled(r, b, v[name])
		}
		b = append(b, '}')
	case []any:
		b = append(b, '[')
		for i, element := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = shuffled(r, b, element)
		}
		b = append(b, ']')
	case string:
		b = append(b, '"')
		for _, c := range v {
			if c < 0x10000 && (c < 0x20 || c == '"' || c == '\\' || r.IntN(4) == 0) {
				b = fmt.Appendf(b, `\u%04x`, c)
			} else {
				b = utf8.AppendRune(b, c)
			}
		}
		b = append(b, '"')
	default:
		plain, _ := json.Marshal(v)
		b = append(b, plain...)
	}
	space()
	return b
}

// FuzzJSONHint holds the scanner to encoding/json: what is JSON, and what is the same JSON.
func FuzzJSONHint(f *testing.F) {
	for _, text := range []string{
		`{"a":1,"b":[true,null,"x\u0041\ud83d\ude00"]}`, `"\ud800\u0041"`, `[1,-0.5e+10,"12345678901234567"]`, "{", `{"a":1,"a":2}`, "\"\xff\"", "[[[[]]]]", "",
	} {
		f.Add([]byte(text), uint64(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		hint := jsonHint(text)
		if want := json.Valid(text) && jsonDepth(text) <= maxJSONDepth; (hint != 0) != want {
			t.Fatalf("hint %#x, valid is %v", hint, want)
		}
		if hint == 0 || !utf8.Valid(text) {
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var v any
		if err := decoder.Decode(&v); err != nil {
			t.Fatal(err)
		}
		first := shuffled(rand.New(rand.NewPCG(seed, 1)), nil, v)
		second := shuffled(rand.New(rand.NewPCG(seed, 2)), nil, v)
		if a, b := jsonHint(first), jsonHint(second); a != b || a == 0 {
			t.Fatalf("seed %d: %#x of %s, %#x of %s", seed, a, first, b, second)
		}
		if hint != jsonHint(first) && !hasTwins(text, v) {
			t.Fatalf("seed %d: %s has another hint than %s", seed, text, first)
		}
	})
}

// jsonDepth counts brackets outside strings; it is right for valid JSON.
func jsonDepth(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '{' || c == '['):
			depth++
			deepest = max(deepest, depth)
		case !quoted && (c == '}' || c == ']'):
			depth--
		}
	}
	return deepest
}

// hasTwins reports whether text has a name twice in one object, which decoding has lost: then it has more colons than v has members.
func hasTwins(text []byte, v any) bool {
	colons, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c == ':':
			colons++
		}
	}
	return colons != members(v)
}

func members(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			n += 1 + members(value)
		}
	case []any:
		for _, value := range v {
			n += members(value)
		}
	}
	return n
}

func BenchmarkJSONHint(b *testing.B) {
	for _, size := range []int{256, 4 << 10} {
		body := jsonOfSize(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if jsonHint(body) == 0 {
					b.Fatal("no JSON")
				}
			}
		})
	}
}
