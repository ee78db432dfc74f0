package onceward

import (
	"errors"
	"strings"
	"testing"

	"github.com/onceward/onceward/store"
)

func TestScopeValidateReportsEveryFault(t *testing.T) {
	long := strings.Repeat("x", store.MaxName+1)
	for _, c := range []struct {
		scope          Scope
		empty, invalid bool
		names          string
	}{
		{Scope{"s", "p"}, false, false, ""},
		{Scope{long[1:], "ünïcode"}, false, false, ""},
		{Scope{}, true, false, "Service Principal"},
		{Scope{"", "p"}, true, false, "Service"},
		{Scope{"s", ""}, true, false, "Principal"},
		{Scope{long, ""}, true, true, "Service Principal"},
		{Scope{"\xff", long}, false, true, "Service Principal"},
	} {
		err := c.scope.Validate()
		if (err != nil) != (c.empty || c.invalid) || errors.Is(err, ErrScopeEmpty) != c.empty || errors.Is(err, ErrScopeInvalid) != c.invalid {
			t.Errorf("%.10q: %v", c.scope, err)
		}
		for _, name := range strings.Fields(c.names) {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%.10q: %v does not name %s", c.scope, err, name)
			}
		}
	}
}

// The id is stored: these vectors were computed with another implementation and must never change.
func TestIdentityGolden(t *testing.T) {
	for _, c := range []struct{ service, principal, key, id string }{
		{"payments", "alice", "abc", "4d9bc8b57a4dc959b48bb75d1945a804a560e2da3b4c766ca2a635afd858ba27"},
		{"payments", "alice", stampedText, "d163a2d9e7085113e611d33d85a57c6d1bb54af45df3e8996b432af8e762428a"},
		{"zahlungen", "ålice", uuidv7Text, "3241dfb584e5af0ea6c2f0e340e172c9c4d2d4e86a537cb1c53d3f5bb072c870"},
	} {
		who := Scope{c.service, c.principal}.Identity(mustKey(t, c.key))
		if who.ID.String() != c.id {
			t.Errorf("%v: id %s, want %s", c, who.ID, c.id)
		}
		wantStamp := store.Time(0)
		if c.key == stampedText {
			wantStamp = 0x01890a5dac96
		}
		if who.Service != c.service || who.Principal != c.principal || who.Key != c.key || who.Stamp != wantStamp {
			t.Errorf("identity %+v", who)
		}
	}
}

// A hash without length prefixes takes some of these for the same.
func TestIdentityKeepsFieldsApart(t *testing.T) {
	seen := map[store.ID]string{}
	for _, f := range [][3]string{{"a", "b", "cd"}, {"a", "bc", "d"}, {"ab", "c", "d"}, {"a", "b", "c"}, {"b", "a", "cd"}, {"a", "B", "cd"}} {
		id := Scope{f[0], f[1]}.Identity(mustKey(t, f[2])).ID
		if other, twice := seen[id]; twice {
			t.Errorf("%q and %s have one id", f, other)
		}
		seen[id] = strings.Join(f[:], "|")
	}
}

func TestIdentityOfTheLongestNames(t *testing.T) {
	long := strings.Repeat("x", store.MaxName)
	k := mustKey(t, strings.Repeat("k", store.MaxKey))
	if a, b := (Scope{long, long}).Identity(k), (Scope{long, long[1:]}).Identity(k); a.ID == b.ID || a.Key != k.Text() {
		t.Error("the longest names are cut")
	}
}

func TestIdentityDoesNotAllocate(t *testing.T) {
	k := mustKey(t, stampedText)
	if n := testing.AllocsPerRun(100, func() { _ = Scope{"payments", "alice"}.Identity(k) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A child key is what a downstream service remembers: its vectors must never change.
func TestChildKeyGolden(t *testing.T) {
	scope := Scope{"payments", "alice"}
	for _, c := range []struct{ parent, step, child string }{
		{stampedText, "debit", "once_01h455vb4pfpns5dmd5kk1d3bv"},
		{stampedText, "credit", "once_01h455vb4pfm49zrx0g1pajr6e"},
		{"abc", "debit", "3d43d7db-1718-8d9d-b8b7-e3771de68539"},
		{uuidv7Text, "debit", "0687f47b-b7f6-818d-becc-99c128860fa4"},
	} {
		got, err := ChildKey(scope, mustKey(t, c.parent), c.step)
		if err != nil || got.Text() != c.child {
			t.Errorf("%s of %s: %s, %v; want %s", c.step, c.parent, got.Text(), err, c.child)
		}
	}
}

func TestChildKeyInheritsTheStamp(t *testing.T) {
	scope := Scope{"payments", "alice"}
	parent := mustKey(t, stampedText)
	want, _ := parent.Stamp()
	for range 3 { // child, grandchild and so on
		child, err := ChildKey(scope, parent, "debit")
		got, ok := child.Stamp()
		if err != nil || !ok || got != want || child == parent {
			t.Fatalf("%s: %v %v, %v", child.Text(), got, ok, err)
		}
		parent = child
	}
	for _, text := range []string{"abc", uuidv4Text, uuidv7Text} {
		child, err := ChildKey(scope, mustKey(t, text), "debit")
		u, isUUID := parseUUID(child.Text())
		_, stamped := child.Stamp()
		_, timed := child.UUIDv7Time()
		if err != nil || !isUUID || stamped || timed || u[6]>>4 != 8 || u[8]>>6 != 2 {
			t.Errorf("child of %s: %s, %v", text, child.Text(), err)
		}
	}
}

func TestChildKeyKeepsScopesParentsAndStepsApart(t *testing.T) {
	seen := map[Key][]string{}
	for _, f := range [][]string{
		{"a", "b", "cd", "e"}, {"a", "b", "c", "de"}, {"a", "bc", "d", "e"}, {"ab", "c", "d", "e"}, {"a", "b", "cd", "f"},
		{"a", "b", stampedText, "e"}, {"a", "c", stampedText, "e"}, {"b", "b", stampedText, "e"}, {"a", "b", stampedText, "E"},
	} {
		child, err := ChildKey(Scope{f[0], f[1]}, mustKey(t, f[2]), f[3])
		if other, twice := seen[child]; twice || err != nil {
			t.Errorf("%q and %q have one child key, %v", f, other, err)
		}
		seen[child] = f
	}
}

func TestChildKeyRefuses(t *testing.T) {
	scope, parent := Scope{"payments", "alice"}, mustKey(t, "abc")
	for _, c := range []struct {
		scope  Scope
		parent Key
		step   string
		want   error
	}{
		{Scope{"payments", ""}, parent, "debit", ErrScopeEmpty},
		{scope, Key{}, "debit", ErrKeyMissing},
		{scope, parent, "", ErrStepInvalid},
		{scope, parent, strings.Repeat("s", 256), ErrStepInvalid},
		{scope, parent, strings.Repeat("s", 255), nil},
	} {
		if k, err := ChildKey(c.scope, c.parent, c.step); !errors.Is(err, c.want) || k.IsZero() != (c.want != nil) {
			t.Errorf("%.10q: %s, %v", c.step, k.Text(), err)
		}
	}
}

func BenchmarkIdentity(b *testing.B) {
	k := mustKey(b, stampedText)
	b.ReportAllocs()
	for b.Loop() {
		_ = Scope{"payments", "alice"}.Identity(k)
	}
}
