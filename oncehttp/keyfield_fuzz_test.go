package oncehttp

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/onceward/onceward"
)

// FuzzKeyFromField compares the reading of a key in a JSON body with encoding/json's. Deliberately other than there:
//
//   - A member that stands twice is refused, whatever its values. A handler's parser may take the first or the last.
//   - Names are compared exactly. A struct of encoding/json takes KEY for key; whether a handler does, nobody here knows.
func FuzzKeyFromField(f *testing.F) {
	for _, body := range []string{
		`{"key":"k-1"}`, ` { "a" : [ 1 , { "key" : "inner" } ] , "key" : "k-1" } `, `{}`, ``, `null`, `[]`, `"key"`, `{"key":null}`, `{"key":""}`, `{"key":1}`, `{"key":["k"]}`, `{"key":{"key":"k"}}`,
		`{"key":"a","key":"a"}`, `{"key":"a","key":"b"}`, `{"key":null,"key":"a"}`, `{"key":"a","key":null}`, `{"key":null,"key":null}`, `{"KEY":"a"}`, `{"KEY":"a","key":"b"}`, `{"k\u0065y":"a"}`, `{"key":"a","k\u0065y":"b"}`,
		`{"key":"\u0061"}`, `{"key":"a b"}`, `{"key":"ä"}`, "{\"key\":\"\xff\"}", `{"key":"\ud800"}`, `{"key":"a"}{}`, `{"key":"a"} x`, `{"key":"a"`, `{"key":"a",}`, `{"key" "a"}`, `{"key":"a" "b":1}`, `{"key":"a"]`, `{,"key":"a"}`,
		`{"key":"` + strings.Repeat("k", 256) + `"}`, `{"a":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `,"key":"a"}`, `{"a":` + strings.Repeat("[", 10_001), "\xef\xbb\xbf{\"key\":\"a\"}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		k, err := keyFromField(body, "key")
		var found struct {
			Key occurrences `json:"key"`
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(body, &found) != nil || json.Unmarshal(body, &members) != nil || members == nil {
			if err == nil {
				t.Fatalf("%+q is no JSON object, but has the key %q", body, k.Text())
			}
			return
		}
		for name := range members {
			if name != "key" && strings.EqualFold(name, "key") {
				return // the struct has taken it for ours
			}
		}
		want := wantOfField(found.Key)
		switch {
		case want.err == nil && (err != nil || k != want.key):
			t.Fatalf("%+q has the key %q, read %q, %v", body, want.key.Text(), k.Text(), err)
		case want.err != nil && !errors.Is(err, want.err):
			t.Fatalf("%+q: %v, want %v", body, err, want.err)
		case err != nil && (!k.IsZero() || len(k.Text()) > 8 && strings.Contains(err.Error(), k.Text())):
			t.Fatalf("%+q: key %q with %v", body, k.Text(), err)
		}
	})
}

// occurrences gathers the values of a member, each time that it stands there.
type occurrences []string

func (o *occurrences) UnmarshalJSON(value []byte) error {
	*o = append(*o, string(value))
	return nil
}

type wantedKey struct {
	key onceward.Key
	err error
}

func wantOfField(values occurrences) wantedKey {
	var text *string
	switch {
	case len(values) > 1:
		return wantedKey{err: onceward.ErrKeyInvalid}
	case len(values) == 0 || values[0] == "null":
		return wantedKey{err: onceward.ErrKeyMissing}
	case json.Unmarshal([]byte(values[0]), &text) != nil || !legalKey.MatchString(*text):
		return wantedKey{err: onceward.ErrKeyInvalid}
	}
	k, err := onceward.ParseKey(*text)
	return wantedKey{k, err}
}
