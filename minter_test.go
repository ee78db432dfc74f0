package onceward

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// The suffixes of the TypeID specification's valid.json, v0.3.
func TestTypeIDSuffixFollowsTheSpecification(t *testing.T) {
	for suffix, text := range map[string]string{
		"00000000000000000000000000": "00000000-0000-0000-0000-000000000000",
		"00000000000000000000000001": "00000000-0000-0000-0000-000000000001",
		"0000000000000000000000000a": "00000000-0000-0000-0000-00000000000a",
		"0000000000000000000000000g": "00000000-0000-0000-0000-000000000010",
		"00000000000000000000000010": "00000000-0000-0000-0000-000000000020",
		"7zzzzzzzzzzzzzzzzzzzzzzzzz": "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"0123456789abcdefghjkmnpqrs": "0110c853-1d09-52d8-d73e-1194e95b5f19",
		"01h455vb4pex5vsknk084sn02q": "01890a5d-ac96-774b-bcce-b302099a8057",
	} {
		want, ok := parseUUID(text)
		if !ok {
			t.Fatalf("parseUUID(%q)", text)
		}
		got, ok := parseTypeIDSuffix(suffix)
		if !ok || got != want || got.text() != text {
			t.Errorf("%s is %s, want %s", suffix, got.text(), text)
		}
		if k := typeIDKey(want); k.Text() != "once_"+suffix {
			t.Errorf("%s becomes %s", text, k.Text())
		}
	}
}

func TestOnlyAValidTypeIDOfAUUIDv7IsStamped(t *testing.T) {
	got, ok := mustKey(t, stampedText).Stamp()
	if want := time.UnixMilli(0x01890a5dac96).UTC(); !ok || got != want {
		t.Errorf("stamp %v %v, want %v", got, ok, want)
	}
	epoch := uuid{}
	epoch.brand(7)
	for _, text := range []string{
		uuidv7Text, uuidv4Text, "once_", "once", "01h455vb4pex5vsknk084sn02q", "twice_01h455vb4pex5vsknk084sn02q",
		"Once_01h455vb4pex5vsknk084sn02q", "once_01H455VB4PEX5VSKNK084SN02Q", "once_01h455vb4pex5vsknk084sn02q0",
		"once_01h455vb4pex5vsknk084sn02", "once_81h455vb4pex5vsknk084sn02q", "once_01h455vb4pex5vsknk084sn0iq",
		"once_0123456789abcdefghjkmnpqrs", // version 5
		"once_7zzzzzzzzzzzzzzzzzzzzzzzzz", // version 15
		typeIDKey(epoch).Text(),
	} {
		if got, ok := mustKey(t, text).Stamp(); ok {
			t.Errorf("%s is stamped %v", text, got)
		}
	}
}

func TestStampNeedsVersionAndVariant(t *testing.T) {
	u, _ := parseTypeIDSuffix("01h455vb4pex5vsknk084sn02q")
	for version := range byte(16) {
		u.brand(version)
		if _, ok := typeIDKey(u).Stamp(); ok != (version == 7) {
			t.Errorf("version %d: stamped is %v", version, ok)
		}
	}
	u.brand(7)
	for variant := range byte(4) {
		u[8] = u[8]&0x3F | variant<<6
		if _, ok := typeIDKey(u).Stamp(); ok != (variant == 2) {
			t.Errorf("variant %b: stamped is %v", variant, ok)
		}
	}
}

func TestUUIDv7Time(t *testing.T) {
	want := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC) // RFC 9562 appendix A.6
	for _, text := range []string{uuidv7Text, strings.ToUpper(uuidv7Text)} {
		if got, ok := mustKey(t, text).UUIDv7Time(); !ok || !got.Equal(want) {
			t.Errorf("%s: %v %v", text, got, ok)
		}
	}
	for _, text := range []string{
		uuidv4Text, stampedText, "{" + uuidv7Text + "}", strings.ReplaceAll(uuidv7Text, "-", ""), "urn:uuid:" + uuidv7Text,
		"017f22e2-79b0-7cc3-18c4-dc0c0c07398f", "017f22e2-79b0-8cc3-98c4-dc0c0c07398f", "00000000-0000-7000-8000-000000000000",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e2_79b0_7cc3_98c4_dc0c0c07398f",
	} {
		if got, ok := mustKey(t, text).UUIDv7Time(); ok {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestMintersWriteWhatTheyAreGiven(t *testing.T) {
	clock := at(time.UnixMilli(0x017f22e279b0).Add(999 * time.Microsecond))
	zeros, ones := bytes.NewReader(make([]byte, 64)), iotest.OneByteReader(bytes.NewReader(bytes.Repeat([]byte{0xFF}, 64)))
	for _, c := range []struct {
		minter Minter
		want   string
	}{
		{UUIDv4{Rand: zeros}, "00000000-0000-4000-8000-000000000000"},
		{UUIDv4{Rand: ones}, "ffffffff-ffff-4fff-bfff-ffffffffffff"},
		{UUIDv7{Clock: clock, Rand: zeros}, "017f22e2-79b0-7000-8000-000000000000"},
		{UUIDv7{Clock: clock, Rand: ones}, "017f22e2-79b0-7fff-bfff-ffffffffffff"},
		{TypeID{Clock: clock, Rand: zeros}, "once_01fwhe4ydge008000000000000"},
		{TypeID{Clock: clock, Rand: ones}, "once_01fwhe4ydgfzzvzzzzzzzzzzzz"},
	} {
		k, err := c.minter.Mint()
		if err != nil || k.Text() != c.want {
			t.Errorf("%T: %s, %v; want %s", c.minter, k.Text(), err, c.want)
		}
	}
}

func TestNewKeyIsStampedNow(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	k, err := NewKey()
	stamp, ok := k.Stamp()
	if err != nil || !ok || stamp.Before(before) || stamp.After(time.Now()) {
		t.Errorf("%s is stamped %v %v, %v", k.Text(), stamp, ok, err)
	}
	seen := map[Key]bool{}
	for range 1000 {
		k, _ := NewKey()
		seen[k] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different keys of 1000", len(seen))
	}
}

func TestMintersReportTheirSources(t *testing.T) {
	dry := iotest.ErrReader(io.ErrClosedPipe)
	for _, m := range []Minter{TypeID{Rand: dry}, UUIDv4{Rand: dry}, UUIDv7{Rand: dry}} {
		if k, err := m.Mint(); !errors.Is(err, io.ErrClosedPipe) || !k.IsZero() {
			t.Errorf("%T: %v", m, err)
		}
	}
	short := strings.NewReader("short")
	if _, err := (TypeID{Rand: short}).Mint(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short read was taken: %v", err)
	}
	for _, year := range []int{1, 1969, 12000} {
		clock := at(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
		for _, m := range []Minter{TypeID{Clock: clock}, UUIDv7{Clock: clock}} {
			if _, err := m.Mint(); !errors.Is(err, ErrClockRange) {
				t.Errorf("%T in %d: %v", m, year, err)
			}
		}
	}
}

func snowflakeAt(t *testing.T, node int, now *time.Time) *Snowflake {
	t.Helper()
	s, err := NewSnowflake(node, SnowflakeConfig{Clock: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSnowflakeLayout(t *testing.T) {
	if SnowflakeEpoch.UnixMilli() != snowflakeMs0 {
		t.Fatalf("the epoch is %d", SnowflakeEpoch.UnixMilli())
	}
	now := SnowflakeEpoch
	s := snowflakeAt(t, 1023, &now)
	for _, want := range []int64{1023 << 12, 1023<<12 | 1} {
		if k, err := s.Mint(); err != nil || k.Text() != strconv.FormatInt(want, 10) {
			t.Errorf("%s, %v; want %d", k.Text(), err, want)
		}
	}
	now = now.Add(5 * time.Millisecond)
	if k, err := s.Mint(); err != nil || k.Text() != strconv.FormatInt(5<<22|1023<<12, 10) {
		t.Errorf("%s, %v", k.Text(), err)
	}
	for _, node := range []int{-1, 1024} {
		if _, err := NewSnowflake(node, SnowflakeConfig{}); err == nil || !strings.Contains(err.Error(), strconv.Itoa(node)) {
			t.Errorf("node %d: %v", node, err)
		}
	}
}

func TestSnowflakeRefusesAClockThatGoesBack(t *testing.T) {
	now := SnowflakeEpoch.Add(time.Hour)
	s := snowflakeAt(t, 0, &now)
	first, _ := s.Mint()
	now = now.Add(-time.Millisecond)
	if k, err := s.Mint(); !errors.Is(err, ErrClockBackwards) || !k.IsZero() {
		t.Errorf("%s, %v", k.Text(), err)
	}
	now = now.Add(time.Millisecond)
	if k, err := s.Mint(); err != nil || k == first {
		t.Errorf("after catching up: %s, %v", k.Text(), err)
	}
	for _, out := range []time.Time{SnowflakeEpoch.Add(-time.Millisecond), SnowflakeEpoch.Add(1 << 41 * time.Millisecond)} {
		fresh := snowflakeAt(t, 0, &out)
		if _, err := fresh.Mint(); !errors.Is(err, ErrClockRange) {
			t.Errorf("%v: %v", out, err)
		}
	}
}

func TestSnowflakeRefusesTheKeyAfterTheLastOfAMillisecond(t *testing.T) {
	now := SnowflakeEpoch.Add(time.Hour)
	s := snowflakeAt(t, 7, &now)
	seen := map[Key]bool{}
	for range 4096 {
		k, err := s.Mint()
		if err != nil {
			t.Fatal(err)
		}
		seen[k] = true
	}
	if _, err := s.Mint(); !errors.Is(err, ErrSequenceExhausted) || len(seen) != 4096 {
		t.Errorf("%d keys, then %v", len(seen), err)
	}
	now = now.Add(time.Millisecond)
	if k, err := s.Mint(); err != nil || seen[k] {
		t.Errorf("%s, %v", k.Text(), err)
	}
}

func TestMintersAreConcurrent(t *testing.T) {
	now := SnowflakeEpoch
	for _, m := range []Minter{TypeID{}, UUIDv4{}, UUIDv7{}, snowflakeAt(t, 1, &now)} {
		var seen sync.Map
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 200 {
					k, err := m.Mint()
					if _, twice := seen.LoadOrStore(k, true); twice || err != nil {
						t.Errorf("%T: %s twice, %v", m, k.Text(), err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

func BenchmarkNewKey(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewKey(); err != nil {
			b.Fatal(err)
		}
	}
}
