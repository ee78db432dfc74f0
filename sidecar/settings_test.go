package sidecar

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFlagsCountMoreThanEnvironmentAndFile(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "proxy.yaml"), `
upstream: http://file:1
window: 48h
max-body: 3MiB
trusted-peers: [10.0.0.1]
max-in-flight: 7
routes:
  - {match: POST /jobs, on-lapse: rerun, timeout: 5s, max-reply: 1KiB, save: [503]}
`)
	env := map[string]string{"ONCEWARD_PROXY_WINDOW": "72h", "ONCEWARD_PROXY_MAX_BODY": "4MiB", "ONCEWARD_PROXY_SCOPE": "global", "ONCEWARD_PROXY_LISTEN": ""}
	c, err := Load(Sources{
		File:  file,
		Env:   func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Flags: map[string][]string{"max-body": {"5MiB"}, "trusted-peers": {"10.0.0.2,10.0.0.3", "10.0.0.4"}, "rewrite-host": {"true"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Upstream != "http://file:1" || c.Window != 72*time.Hour || c.MaxBody != 5<<20 || c.Scope != "global" || !c.RewriteHost || c.MaxInFlight != 7 || c.Listen != Default().Listen {
		t.Errorf("%+v", c)
	}
	if got := strings.Join(c.TrustedPeers, " "); got != "10.0.0.2 10.0.0.3 10.0.0.4" {
		t.Errorf("trusted-peers %s", got)
	}
	if len(c.Routes) != 1 || *c.Routes[0].OnLapse != "rerun" || *c.Routes[0].Timeout != 5*time.Second || *c.Routes[0].MaxReply != 1<<10 || c.Routes[0].Save[0] != 503 || c.Routes[0].Key != nil {
		t.Errorf("routes %+v", c.Routes)
	}
	c, err = Load(Sources{File: file, Flags: map[string][]string{"routes": {"{match: /a}", "match: /b\nkey: optional", "[{match: /c}, {match: /d}]"}}})
	if err != nil || len(c.Routes) != 4 || c.Routes[1].Match != "/b" || *c.Routes[1].Key != "optional" || c.Routes[3].Match != "/d" {
		t.Errorf("%v %+v", err, c.Routes)
	}
}

// A file is strict, and says where.
func TestAFileIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		"upstream: http://a\nscop: basic\n":                     ">  2 | scop: basic\n       ^",
		"scope: basic\nscope: global\n":                         ">  2 | scope: global\n",
		"routes:\n  - match: /a\n    mach: POST\n":              ">  3 |     mach: POST\n           ^",
		"routes:\n  - match: /a\n    save: [no]\n":              ">  3 |     save: [no]\n",
		"max-in-flight: many\n":                                 ">  1 | max-in-flight: many\n",
		"key: optional\nmax-body: 3Mb\n":                        "\"3Mb\" is no size: write 64MiB, 512KiB or a number of bytes\n   1 | key: optional\n>  2 | max-body: 3Mb\n                 ^",
		"max-body: 99999999999GiB\n":                            "is no size",
		"max-in-flight: 1.5\n":                                  "\"1.5\" is no whole number\n>  1 | max-in-flight: 1.5\n",
		"upstream: http://a\n---\nscope: global\n":              "it has a second document",
		"timeout: 20\n":                                         "\"20\" is no time",
		"lease: 5 minutes\n":                                    ">  1 | lease: 5 minutes\n",
		"routes:\n  - match: /a\n  - match: /b\n    wait: 1y\n": ">  4 |     wait: 1y\n",
		"upstream: [\n":                                         ">  1 | upstream: [",
	} {
		c, err := Load(Sources{File: write(t, filepath.Join(t.TempDir(), "f.yaml"), text)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is read: %v, %+v; want\n%s", text, err, c, want)
		}
	}
	if _, err := Load(Sources{File: write(t, filepath.Join(t.TempDir(), "f.yaml"), "# nothing\n")}); err != nil {
		t.Errorf("a file of comments: %v", err)
	}
	c, err := Load(Sources{File: write(t, filepath.Join(t.TempDir(), "f.yaml"), "wait: 0\ntimeout: \"5s\"\nmax-in-flight: 7 # few\nroutes: [{match: /a, wait: 0, save: [404]}]\n")})
	if err != nil || c.Wait != 0 || c.Timeout != 5*time.Second || c.MaxInFlight != 7 || *c.Routes[0].Wait != 0 || c.Routes[0].Save[0] != 404 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Load(Sources{File: "/no/such/file"}); err == nil {
		t.Error("a file that is not there is read")
	}
	if _, err := Load(Sources{Flags: map[string][]string{"wait": {"soon"}, "max-body": {"-1"}, "routes": {"{mach: x}"}}}); err == nil ||
		!strings.Contains(err.Error(), "--wait") || !strings.Contains(err.Error(), "--max-body") || !strings.Contains(err.Error(), "--routes") {
		t.Errorf("not every wrong flag is named: %v", err)
	}
}

// All faults are told at once, each by the setting's name.
func TestEveryFaultIsNamed(t *testing.T) {
	c := Config{
		Admin: "0.0.0.0:9091", TLSCert: "x", ClientCA: "", Wait: -1, ChildKey: "a b", TrustedPeers: []string{"10.0.0.0/99"},
		Routes: []Route{{Match: "POST"}, {Match: "/a", Key: new("no"), OnLapse: new("x"), Lease: new(time.Duration(0)), MaxBody: new(Bytes(0)), Save: []int{200}, Free: []int{200, 99}, DropHeaders: []string{" "}}},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"upstream is missing", "listen is empty", `admin is "0.0.0.0:9091"`, "tls-cert and tls-key", "service is empty", "scope is missing", `trusted-peers has "10.0.0.0/99"`,
		`key is ""`, `on-lapse is ""`, "wait is", "window is", "lease is", "timeout is", "header-timeout is", "body-timeout is", "dial-timeout is", "upstream-idle is",
		"drain is", "max-body is", "max-reply is", "max-header is", "max-in-flight is", "child-key is", "log-level is", "log-format is", `route "POST"`,
		`route /a: key is "no"`, `route /a: on-lapse is "x"`, "route /a: lease must", "route /a: max-body must", "route /a: status 200 stands twice", "route /a: 99 is no final", `route /a: " " is no name`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in:\n%v", want, err)
		}
	}
	for _, url := range []string{"ftp://x", "http://", "http://u:secret@x", "http://x?secret", "http://x:secret"} {
		c := Default()
		c.Upstream, c.Scope = url, "global"
		if err := c.Validate(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("upstream %s: %v", url, err)
		}
	}
	for want, change := range map[string]func(*Config){
		"child-key is": func(c *Config) { c.ChildKey = "host" }, "scope is": func(c *Config) { c.Scope = "header:Idempotency-Key" },
		"host/path missing": func(c *Config) { c.Routes = []Route{{Match: "PUT"}} }, "conflicts with pattern": func(c *Config) { c.Routes = []Route{{Match: "/a"}, {Match: "/a"}} },
	} {
		c := Default()
		c.Upstream, c.Scope = "http://127.0.0.1:1", "global"
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), ".go:") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	good := Default()
	good.Upstream, good.Scope = "http://127.0.0.1:8080/base", "global"
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

// The manual's tables are the settings.
func TestManualHasEverySetting(t *testing.T) {
	text, err := os.ReadFile("../docs/proxy.md")
	if os.IsNotExist(err) {
		t.Skip("a copy of the module alone")
	}
	c := Default()
	if want := SettingsTable(&c); !strings.Contains(string(text), want) {
		t.Errorf("docs/proxy.md lacks this table:\n%s", want)
	}
	if want := RouteTable(); !strings.Contains(string(text), want) {
		t.Errorf("docs/proxy.md lacks this table:\n%s", want)
	}
}

// The manual's files are files that the proxy takes.
func TestManualsFilesAreGood(t *testing.T) {
	text, err := os.ReadFile("../docs/proxy.md")
	if os.IsNotExist(err) {
		t.Skip("a copy of the module alone")
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) == 0 {
		t.Error("no file in the manual: the test looks in the wrong place")
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		c, err := Load(Sources{File: write(t, filepath.Join(t.TempDir(), "f.yaml"), block)})
		if err == nil {
			err = c.Validate()
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// Every metric stands in the manual.
func TestManualHasEveryMetric(t *testing.T) {
	text, err := os.ReadFile("../docs/proxy.md")
	if os.IsNotExist(err) {
		t.Skip("a copy of the module alone")
	}
	b := start(t, serving(t, nil).URL, nil)
	b.post("k", "x")
	b.proxy.watch.alarms.WithLabelValues("x").Inc()
	b.proxy.watch.reloads.WithLabelValues("x").Inc()
	families, err := b.proxy.watch.registry.Gather()
	if err != nil || len(families) < 10 {
		t.Fatal(len(families), err)
	}
	for _, f := range families {
		if !strings.Contains(string(text), "| `"+f.GetName()+"` |") {
			t.Errorf("docs/proxy.md does not have %s", f.GetName())
		}
	}
}

func TestUnknownVariablesAreNamed(t *testing.T) {
	got := UnknownEnv([]string{"PATH=/", "ONCEWARD_PROXY_MAX_BODY=1", "ONCEWARD_PROXY_MAXBODY=1", "ONCEWARD_PROXY_PORT=tcp://10.0.0.1:80"})
	if want := []string{"ONCEWARD_PROXY_MAXBODY", "ONCEWARD_PROXY_PORT"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// An IPv4 address may be written as one of IPv6.
func TestMappedPeers(t *testing.T) {
	trusted, err := parsePeers([]string{"::ffff:10.0.0.0/104", "::ffff:192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	for peer, want := range map[string]bool{"10.9.9.9:1": true, "[::ffff:10.9.9.9]:1": true, "11.0.0.1:1": false, "192.0.2.1:1": true} {
		if trusted.trust(&http.Request{RemoteAddr: peer}) != want {
			t.Errorf("%s: want %v", peer, want)
		}
	}
}

// What is wrong is shown with the lines around it, and those without the store's password.
func TestAFilesErrorHasNoPassword(t *testing.T) {
	for _, text := range []string{
		"scope: global\nstore: redis://u:hunter2@h:6379\nwindoww: 1h\n",
		"scope: global\nstore: redis://u:hunter2@h:6379\nwindow: 1 hour\n",
		"scope: global\nstore: \"host=h password=hunter2\"\nmax-in-flight: many\n",
		"scope: global\nstore: >-\n  redis://u:hunter2@h:6379\nwindoww: 1h\n",
		"# store: redis://u:hunter2@h:6379\nwindoww: 1h\n",
		"{store: redis://u:hunter2@h:6379, windoww: 1h}\n",
	} {
		_, err := Load(Sources{File: write(t, filepath.Join(t.TempDir(), "f.yaml"), text)})
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "windoww") && !strings.Contains(err.Error(), "window:") && !strings.Contains(err.Error(), "max-in-flight") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
