package onceward

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const (
	stampedText = "once_01h455vb4pex5vsknk084sn02q" // the suffix is the specification's own example
	uuidv4Text  = "919108f7-52d1-4320-9bac-f847db4148a8"
	uuidv7Text  = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f" // RFC 9562 appendix A.6
)

func mustKey(t testing.TB, text string) Key {
	t.Helper()
	k, err := ParseKey(text)
	if err != nil {
		t.Fatalf("ParseKey(%q): %v", text, err)
	}
	return k
}

func TestParseKeyTakesVisibleASCIIOfAnyLegalLength(t *testing.T) {
	for _, text := range []string{"!", "~", "abc", `"abc"`, "a,b", strings.Repeat("k", 255), uuidv4Text, stampedText} {
		if k := mustKey(t, text); k.Text() != text || k.IsZero() || k != (Key{text}) {
			t.Errorf("ParseKey(%q) = %q", text, k.Text())
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	if _, err := ParseKey(""); !errors.Is(err, ErrKeyMissing) {
		t.Errorf(`"": %v`, err)
	}
	for _, text := range []string{" ", "a b", "a\x20", "\x7f", "a\nb", "a\x00", "käse", "\xff", strings.Repeat("k", 256)} {
		k, err := ParseKey(text)
		if !errors.Is(err, ErrKeyInvalid) || !k.IsZero() {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseKey("topsecret key"); strings.Contains(err.Error(), "topsecret") {
		t.Errorf("the error holds the key: %v", err)
	}
}

// Every way in which a key could reach a log by accident.
func TestKeyNeverPrints(t *testing.T) {
	const secret = "pay-4711-of-alice-very-secret"
	k := mustKey(t, secret)
	var log bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T%v", "%10.3s"} {
		fmt.Fprintf(&log, verb+"\n", k)
		fmt.Fprintf(&log, verb+"\n", &k)
	}
	fmt.Fprintf(&log, "%v %+v %#v %v\n", []Key{k}, struct{ Key Key }{k}, map[string]Key{"k": k}, any(k))
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("x", "key", k, slog.Any("pointer", &k), slog.Group("g", "key", k))
	}
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "in a struct", struct{ Key Key }{k})
	if out := log.String(); strings.Contains(out, "4711") || strings.Contains(out, fmt.Sprintf("%x", secret[5:9])) {
		t.Errorf("a key has leaked:\n%s", out)
	}
	if n := strings.Count(log.String(), "pay-4…"); n < 20 {
		t.Errorf("the redacted form stands there %d times:\n%s", n, log.String())
	}
}

func TestKeyStringNamesWithoutTelling(t *testing.T) {
	for text, want := range map[string]string{
		stampedText:   "once_…a878ea74",
		"order-12345": "or…a6d3b229",
		"abcd":        "a…88d4266f",
		"abc":         "…ba7816bf",
		"":            "",
	} {
		if got := (Key{text}).String(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestKeyIsSavedWhole(t *testing.T) {
	type operation struct{ Key Key }
	in := operation{mustKey(t, `q"uoted<key>&`)}
	saved, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out operation
	if err := json.Unmarshal(saved, &out); err != nil || out != in {
		t.Errorf("%s: %q, %v", saved, out.Key.Text(), err)
	}
	if _, err := json.Marshal(operation{}); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("an operation without a key was saved: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"Key":"a b"}`), &out); !errors.Is(err, ErrKeyInvalid) || out != in {
		t.Errorf("a faulty key was read: %v, %q", err, out.Key.Text())
	}
	if err := json.Unmarshal([]byte(`{"Key":""}`), &out); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("an empty key was read: %v", err)
	}
}
