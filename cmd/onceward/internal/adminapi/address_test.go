package adminapi

import (
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for text, want := range map[string][2]string{
		"http://127.0.0.1:9/":             {"http://127.0.0.1:9", ""},
		"https://h/admin/once/":           {"https://h/admin/once", ""},
		"http://[::1]:9/a":                {"http://[::1]:9/a", ""},
		"unix:/run/once.sock":             {"http://onceward", "/run/once.sock"},
		"unix:///run/once.sock":           {"http://onceward", "/run/once.sock"},
		"unix:once.sock":                  {"http://onceward", "once.sock"},
		"unix:/run/a:b.sock:/admin/once/": {"http://onceward/admin/once", "/run/a:b.sock"},
		"unix:/run/once.sock:/":           {"http://onceward", "/run/once.sock"},
	} {
		got, err := parseAddress(text)
		if err != nil || got.base.String() != want[0] || got.socket != want[1] {
			t.Errorf("%s: %v at %q, %v; want %v", text, got.base, got.socket, err, want)
		}
	}
	for _, text := range []string{
		"", "secret", "secret:80", "ftp://secret", "http://", "http:///secret", "http://u:secret@h", "http://secret@h", "http://h/?secret=1", "http://h/#secret", "unix:", "unix://", "http://h:secret/",
		"http://%zzsecret",
	} {
		if got, err := parseAddress(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, %v", text, got.base, err)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"alice": "alice", "zoë 王": "zoë 王", "": `""`, " a": `" a"`, "a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, "a\u202eb": `"a\u202eb"`, "\xff": `"\xff"`, "a\u00a0b": `"a\u00a0b"`,
		"\u200b": `"\u200b"`, "\ufffd": `"�"`,
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
