package encodings

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.jetify.com/typeid"

	"github.com/onceward/onceward"
)

// FuzzTypeID compares the stamp of a key with what the reference implementation of TypeID and google/uuid read in it. The epoch itself is no
// time to us, because zero means "unstamped".
func FuzzTypeID(f *testing.F) {
	for _, text := range []string{
		"once_01h455vb4pex5vsknk084sn02q", "once_01H455VB4PEX5VSKNK084SN02Q", "ONCE_01h455vb4pex5vsknk084sn02q", "once_01h455vb4pex5vsknk084sn02", "once_01h455vb4pex5vsknk084sn02q0", "once__01h455vb4pex5vsknk084sn02q",
		"once_81h455vb4pex5vsknk084sn02q", "once_7zzzzzzzzzzzzzzzzzzzzzzzzz", "once_00000000000000000000000000", "once_0000000000e008000000000000", "once_0000000001e008000000000000", "once_01h455vb4pex5vsknk084sn02l", "once_01h455vb4pex5vsknk084sn02-",
		"order_01h455vb4pex5vsknk084sn02q", "01h455vb4pex5vsknk084sn02q", "_01h455vb4pex5vsknk084sn02q", "twice_once_01h455vb4pex5vsknk084sn02q", "once_", "once", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// Half of what comes is made a possible suffix, which chance would take long to hit.
		if len(text) == 26 {
			text = "once_" + strings.ToLower(text)
		}
		key, err := onceward.ParseKey(text)
		if err != nil {
			return
		}
		var want time.Time
		if id, err := typeid.FromString(text); err == nil && id.Prefix() == "once" && id.String() == text {
			want = timeIn(id.UUID())
		}
		if got, ok := key.Stamp(); ok == want.IsZero() || !got.Equal(want) {
			t.Fatalf("%q is stamped %v %v, others read %v", text, got, ok, want)
		}
	})
}

// FuzzUUID compares the time of a UUIDv7 with google/uuid's reading of its 36 characters; it reads three other spellings, which are no UUID to us.
func FuzzUUID(f *testing.F) {
	const v7 = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
	for _, text := range []string{
		v7, strings.ToUpper(v7), "919108f7-52d1-4320-9bac-f847db4148a8", "00000000-0000-7000-8000-000000000000", "00000000-0001-7000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"{" + v7 + "}", "urn:uuid:" + v7, strings.ReplaceAll(v7, "-", ""), strings.ReplaceAll(v7, "-", "_"), "017f22e2-79b0-7cc3-18c4-dc0c0c07398f", "g17f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e-279b0-7cc3-98c4-dc0c0c07398f", "+17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := onceward.ParseKey(text)
		if err != nil {
			return
		}
		want := ""
		if id, err := uuid.Parse(text); err == nil && len(text) == 36 {
			want = id.String()
		}
		got, ok := key.UUIDv7Time()
		if wanted := timeIn(want); ok == wanted.IsZero() || !got.Equal(wanted) {
			t.Fatalf("%q is of %v %v, others read %v", text, got, ok, wanted)
		}
		if _, stamped := key.Stamp(); stamped && !strings.HasPrefix(text, "once_") {
			t.Fatalf("%q is stamped", text)
		}
	})
}

// timeIn is what google/uuid finds in a UUIDv7; zero for others, and for the epoch.
func timeIn(text string) time.Time {
	id, err := uuid.Parse(text)
	if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return time.Time{}
	}
	seconds, nanos := id.Time().UnixTime()
	if seconds == 0 && nanos == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, nanos)
}
