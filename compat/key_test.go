package compat

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/onceward/onceward"
	"go.jetify.com/typeid"
)

var moment = time.Date(2026, time.November, 23, 4, 5, 6, 789_000_000, time.UTC)

func clock() time.Time { return moment }

func mint(t *testing.T, m onceward.Minter) string {
	t.Helper()
	k, err := m.Mint()
	if err != nil {
		t.Fatal(err)
	}
	return k.Text()
}

// The reference implementation of TypeID reads our default keys, and google/uuid finds our mint time in them.
func TestTypeIDIsReadByItsReference(t *testing.T) {
	for range 200 {
		text := mint(t, onceward.TypeID{Clock: clock})
		id, err := typeid.FromString(text)
		if err != nil || id.Prefix() != "once" || id.String() != text {
			t.Fatalf("%s: %v, %v", text, id, err)
		}
		checkVersion7(t, id.UUID())
	}
}

// What the reference mints under our prefix is stamped, and under another prefix it is not.
func TestTypeIDReadsItsReference(t *testing.T) {
	u := uuid.Must(uuid.NewV7())
	for prefix, want := range map[string]bool{"once": true, "order": false, "": false} {
		id, err := typeid.FromUUIDWithPrefix(prefix, u.String())
		if err != nil {
			t.Fatal(err)
		}
		k, err := onceward.ParseKey(id.String())
		if err != nil {
			t.Fatal(err)
		}
		seconds, nanos := u.Time().UnixTime()
		stamp, ok := k.Stamp()
		if ok != want || want && stamp.UnixMilli() != time.Unix(seconds, nanos).UnixMilli() {
			t.Errorf("%s is stamped %v %v", id, stamp, ok)
		}
	}
}

func TestUUIDsAreReadByGoogle(t *testing.T) {
	for range 200 {
		v4, err := uuid.Parse(mint(t, onceward.UUIDv4{}))
		if err != nil || v4.Version() != 4 || v4.Variant() != uuid.RFC4122 {
			t.Fatalf("%v: %v", v4, err)
		}
		text := mint(t, onceward.UUIDv7{Clock: clock})
		if u := checkVersion7(t, text); u.String() != text {
			t.Fatalf("%s is written %s elsewhere", text, u)
		}
	}
}

func TestUUIDv7TimeReadsGoogle(t *testing.T) {
	u := uuid.Must(uuid.NewV7())
	k, err := onceward.ParseKey(u.String())
	if err != nil {
		t.Fatal(err)
	}
	seconds, nanos := u.Time().UnixTime()
	got, ok := k.UUIDv7Time()
	if !ok || got.UnixMilli() != time.Unix(seconds, nanos).UnixMilli() {
		t.Errorf("%s: %v %v", u, got, ok)
	}
	if _, ok := k.Stamp(); ok {
		t.Errorf("%s is stamped", u)
	}
}

func TestChildKeysAreValidForOthers(t *testing.T) {
	scope := onceward.Scope{Service: "payments", Principal: "alice"}
	stamped, err := onceward.TypeID{Clock: clock}.Mint()
	if err != nil {
		t.Fatal(err)
	}
	child, err := onceward.ChildKey(scope, stamped, "debit")
	if err != nil {
		t.Fatal(err)
	}
	id, err := typeid.FromString(child.Text())
	if err != nil || id.Prefix() != "once" {
		t.Fatalf("%v: %v", id, err)
	}
	checkVersion7(t, id.UUID())

	plain, err := onceward.ParseKey("order-17")
	if err != nil {
		t.Fatal(err)
	}
	if child, err = onceward.ChildKey(scope, plain, "debit"); err != nil {
		t.Fatal(err)
	}
	if u, err := uuid.Parse(child.Text()); err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 {
		t.Errorf("%v: %v", u, err)
	}
}

// checkVersion7 parses text and holds its version, variant and time to what clock shows.
func checkVersion7(t *testing.T, text string) uuid.UUID {
	t.Helper()
	u, err := uuid.Parse(text)
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		t.Fatalf("%s: version %d, %v", text, u.Version(), err)
	}
	seconds, nanos := u.Time().UnixTime()
	if got := time.Unix(seconds, nanos); !got.Equal(moment) {
		t.Fatalf("%s was minted %v, want %v", text, got, moment)
	}
	return u
}
