package oncehttp

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzDecision: what is read as a decision is the same decision with its members in another order, so that no reader can take another one of two members,
// and it has no members but ours, in their own spelling.
func FuzzDecision(f *testing.F) {
	for _, body := range []string{
		`{"service":"s","principal":"p","key":"k","version":7,"happened":true,"reason":"r","reply":{"status":201,"header":[{"name":"A","value":"b"}],"body":"x"}}`,
		`{"happened":true,"happened":false}`, `{"happened":true,"Happened":false}`, `{"happened":false,"HAPPENED":true}`, `{"h\u0061ppened":true,"happened":false}`, `{"atteſted":true}`,
		`{"reply":{"status":1,"status":2}}`, `{"reply":{"status":1},"reply":null}`, `{"reply":null}`, `{"happened":null}`, `{}`, `null`, `[]`, `1`, ``, `{"key":"a"}{}`, `{"key":"a"} x`, `{"key":"a"`, "{\"key\":\"\xff\"}",
		`{"key":"\ud800"}`, ` { "reason" : "r" } `, `{"reply":{"header":[{"name":"a","name":"b"}]}}`, `{"reply":` + strings.Repeat("[", 10_001),
	} {
		f.Add([]byte(body))
	}
	ours := members(reflect.TypeFor[AdminResolve]())
	f.Fuzz(func(t *testing.T, body []byte) {
		var q AdminResolve
		if decodeStrictly(body, &q) != nil {
			return
		}
		turned, ok := turn(body)
		if !ok { // null, which says nothing
			if !reflect.DeepEqual(q, AdminResolve{}) {
				t.Fatalf("%q is no object, and decides %+v", body, q)
			}
			return
		}
		for _, name := range turned {
			if !ours[name.name] {
				t.Fatalf("%q has the member %q", body, name.name)
			}
		}
		var again AdminResolve
		if err := decodeStrictly(join(turned), &again); err != nil || !reflect.DeepEqual(q, again) {
			t.Fatalf("%q decides %+v; with its members turned round %+v, %v", body, q, again, err)
		}
	})
}

type member struct {
	name  string
	value json.RawMessage
}

// turn lists the members of an object from the last to the first.
func turn(body []byte) (turned []member, ok bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		turned = append([]member{{name.(string), value}}, turned...)
	}
	return turned, true
}

func join(all []member) []byte {
	var parts []string
	for _, m := range all {
		name, _ := json.Marshal(m.name)
		parts = append(parts, string(name)+":"+string(m.value))
	}
	return []byte("{" + strings.Join(parts, ",") + "}")
}

// members are the names in a struct's tags.
func members(of reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, field := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names[name] = true
		}
	}
	return names
}
