package onceward

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	legalKey   = regexp.MustCompile(`\A[!-~]{1,255}\z`)
	stampedKey = regexp.MustCompile(`\Aonce_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}\z`)
	uuid7Key   = regexp.MustCompile(`\A[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\z`)
)

// FuzzParseKey: a key is 1 to 255 visible ASCII characters, and neither it nor the error about it tells anybody what it is.
// compat/encodings compares the time in it with other programs' reading.
func FuzzParseKey(f *testing.F) {
	for _, text := range []string{
		"", "a", "abc", "abcd", "!", "~", " ", "a b", "a\x20", "\x7f", "a\x00", "a\nb", "\xff", "käse", "K", `"abc"`, `a\`, "a,b",
		strings.Repeat("k", 255), strings.Repeat("k", 256), strings.Repeat("ä", 128),
		stampedText, strings.ToUpper(stampedText), stampedText + "0", stampedText[:30], strings.Replace(stampedText, "once", "twice", 1),
		"once_", "once_81h455vb4pex5vsknk084sn02q", "once_7zzzzzzzzzzzzzzzzzzzzzzzzz", "once_00000000000000000000000000", "once_01h455vb4pex5vsknk084sn02l",
		uuidv4Text, uuidv7Text, strings.ToUpper(uuidv7Text), "00000000-0000-7000-8000-000000000000", strings.ReplaceAll(uuidv7Text, "-", "+"), "{" + uuidv7Text + "}",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKey(text)
		if legal := legalKey.MatchString(text); (err == nil) != legal || k.IsZero() == legal {
			t.Fatalf("%q is legal: %v; key %q, error %v", text, legal, k.Text(), err)
		}
		if err != nil {
			checkKeyError(t, text, err)
			return
		}
		if k.Text() != text {
			t.Fatalf("%q was taken as %q", text, k.Text())
		}
		sum := sha256.Sum256([]byte(text))
		if want := fmt.Sprintf("%s…%x", text[:min(5, len(text)/4)], sum[:4]); k.String() != want || fmt.Sprintf("%v%+v%#v%s%q%x%d", k, k, k, k, k, k, k) != strings.Repeat(want, 7) {
			t.Fatalf("%q prints as %q and %#v, want %q", text, k, k, want)
		}
		saved, err := json.Marshal(k)
		var again Key
		if err != nil || json.Unmarshal(saved, &again) != nil || again != k {
			t.Fatalf("%q was saved as %s: %v, read as %q", text, saved, err, again.Text())
		}
		stamp, stamped := k.Stamp()
		if stamped && (!stampedKey.MatchString(text) || stamp.UnixMilli() <= 0) {
			t.Fatalf("%q is stamped %v", text, stamp)
		}
		if at, ok := k.UUIDv7Time(); ok && (!uuid7Key.MatchString(text) || at.UnixMilli() <= 0) {
			t.Fatalf("%q is of %v", text, at)
		}
	})
}

// checkKeyError holds the error to what it may depend on: the length, and the first wrong byte.
func checkKeyError(t *testing.T, text string, err error) {
	t.Helper()
	if text == "" {
		if !errors.Is(err, ErrKeyMissing) {
			t.Fatalf("no key: %v", err)
		}
		return
	}
	other := []byte(text)
	for i, c := range other {
		if '!' <= c && c <= '~' {
			other[i] = '*'
		}
	}
	if _, e := ParseKey(string(other)); !errors.Is(err, ErrKeyInvalid) || e == nil || e.Error() != err.Error() {
		t.Fatalf("the error is %v; with other legal characters it is %v, so it holds more than length and place", err, e)
	}
}

// FuzzIdentity: no two operations have one id, wherever their scopes' and keys' borders are, and the id is what docs/decisions/0001 says.
func FuzzIdentity(f *testing.F) {
	f.Add("orders", "alice", "k-1", "step", uint16(1))
	f.Add("a", "b", "c", "d", uint16(0))
	f.Add("s", strings.Repeat("p", 300), stampedText, strings.Repeat("s", 255), uint16(7))
	f.Add("\x00\x00\x00\x00\x00\x00\x00\x01", "é", uuidv4Text, "\xff", uint16(8))
	f.Fuzz(func(t *testing.T, service, principal, text, step string, move uint16) {
		k, err := ParseKey(text)
		scope := Scope{Service: service, Principal: principal}
		if err != nil || scope.Validate() != nil {
			return
		}
		id := scope.Identity(k).ID
		if want := hashOf(service, principal, text); id != want {
			t.Fatalf("the id is %x, want %x", id, want)
		}
		for _, other := range moved([]string{service, principal, text}, int(move)) {
			if (Scope{Service: other[0], Principal: other[1]}).Identity(Key{other[2]}).ID == id {
				t.Fatalf("%q has the id of %q, %q, %q", other, service, principal, text)
			}
		}
		child, err := ChildKey(scope, k, step)
		if (err == nil) != (step != "" && len(step) <= MaxStep) {
			t.Fatalf("step of %d bytes: %v", len(step), err)
		}
		if err != nil {
			return
		}
		parent, stamped := k.Stamp()
		if at, ok := child.Stamp(); ok != stamped || !at.Equal(parent) || !legalKey.MatchString(child.Text()) {
			t.Fatalf("the child of %s is %q, stamped %v", text, child.Text(), at)
		}
		for _, other := range moved([]string{service, principal, text, step}, int(move)) {
			if s := (Scope{Service: other[0], Principal: other[1]}); s.Validate() == nil && other[2] != "" && other[3] != "" {
				if c, err := ChildKey(s, Key{other[2]}, other[3]); err == nil && c == child {
					t.Fatalf("%q has the child of %q, %q, %q, %q", other, service, principal, text, step)
				}
			}
		}
	})
}

// hashOf is the recipe of every hash that is stored, written down once more: each field after its length as 8 bytes, big-endian.
func hashOf(fields ...string) [32]byte {
	var b bytes.Buffer
	for _, field := range fields {
		_ = binary.Write(&b, binary.BigEndian, int64(len(field)))
		b.WriteString(field)
	}
	return sha256.Sum256(b.Bytes())
}

// moved returns lists that are other than fields but look alike when they stand one after the other, or in another order.
func moved(fields []string, by int) (others [][]string) {
	add := func(i, j int, a, b string) {
		other := slices.Clone(fields)
		other[i], other[j] = a, b
		if !slices.Equal(other, fields) {
			others = append(others, other)
		}
	}
	for i := range len(fields) - 1 {
		left, right := fields[i], fields[i+1]
		at, to := len(left)-by%(len(left)+1), by%(len(right)+1)
		add(i, i+1, left[:at], left[at:]+right)
		add(i, i+1, left+right[:to], right[to:])
		add(i, i+1, right, left)
		add(i, i+1, left+right, "")
		add(i, i+1, "", left+right)
	}
	return others
}
