//go:build !race

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

const unit = "onceward-proxy.service"

// installed is a machine with the package, seen from inside.
type installed struct {
	*testing.T

	admin   http.Client // for the proxy's admin listener
	effects atomic.Int64
	slow    chan struct{} // a request to /slow has arrived
}

// do runs a command that has to work, and returns what it says.
func (m *installed) do(line string) string {
	m.Helper()
	out, err := exec.CommandContext(m.Context(), "sh", "-c", line).CombinedOutput()
	if err != nil {
		journal, _ := exec.CommandContext(m.Context(), "sh", "-c", "systemctl status "+unit+"; journalctl --no-pager --unit "+unit).CombinedOutput()
		m.Fatalf("%s: %v\n%s\n%s", line, err, out, journal)
	}
	return string(out)
}

// fails runs a command that has to fail.
func (m *installed) fails(line string) string {
	m.Helper()
	out, err := exec.CommandContext(m.Context(), "sh", "-c", line).CombinedOutput()
	if err == nil {
		m.Errorf("%s works:\n%s", line, out)
	}
	return string(out)
}

// property is what systemd says of the service.
func (m *installed) property(name string) string {
	m.Helper()
	return strings.TrimSpace(m.do("systemctl show --value --property " + name + " " + unit))
}

// ask asks the proxy's admin listener.
func (m *installed) ask(path string) (status int, text string) {
	req, err := http.NewRequestWithContext(m.Context(), http.MethodGet, "http://proxy"+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := m.admin.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// ServeHTTP is the upstream. It answers /slow only when the service is about to stop.
func (m *installed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := m.effects.Add(1)
	if r.URL.Path == "/slow" {
		m.slow <- struct{}{}
		for text := ""; !strings.Contains(text, "shutting down"); _, text = m.ask("/readyz") {
		}
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "transfer %d", n)
}

// post sends a keyed request through the proxy.
func (m *installed) post(path, key string) (text string, replayed bool) {
	m.Helper()
	req, err := http.NewRequestWithContext(m.Context(), http.MethodPost, "http://127.0.0.1:9090"+path, strings.NewReader("{}"))
	if err != nil {
		m.Fatal(err)
	}
	req.Header = http.Header{"Idempotency-Key": {key}, "X-Authenticated-User": {"alice"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.Error(err)
		return "", false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusCreated || err != nil {
		m.Errorf("POST %s: %d %s %v", path, resp.StatusCode, body, err)
	}
	return string(body), resp.Header.Get("Idempotent-Replayed") == "true"
}

// expect fails unless a keyed request gets this reply.
func (m *installed) expect(key, text string, replayed bool) {
	m.Helper()
	if got, again := m.post("/", key); got != text || again != replayed {
		m.Errorf("%q, replayed %v; want %q, %v", got, again, text, replayed)
	}
}

// The life of the package on one machine.
func TestInside(t *testing.T) {
	if os.Getenv("ONCEWARD_TEST_INSIDE") == "" {
		t.Skip("runs in the machine of TestThePackageInAMachine")
	}
	m := &installed{T: t, slow: make(chan struct{}, 1), admin: http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", "/run/onceward/admin")
	}}}}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	upstream := &http.Server{Handler: m} //nolint:gosec // a test's
	go func() { _ = upstream.Serve(l) }()
	defer upstream.Close()
	m.install()
	m.configure()
	m.serve()
	m.reload()
	m.upgrade()
	m.leave()
}

// install: nothing is started that cannot work yet, and what is said is what to do.
func (m *installed) install() {
	if said := m.do("dpkg -i /shared/onceward_1.0.0_*.deb"); !strings.Contains(said, "systemctl enable --now onceward-proxy") {
		m.Errorf("it does not say what to do next: %s", said)
	}
	if state := m.property("ActiveState") + " " + m.property("UnitFileState"); state != "inactive disabled" {
		m.Errorf("after the installation the service is %s", state)
	}
	if said := m.do("systemd-analyze verify " + unit); said != "" {
		m.Errorf("the unit: %s", said)
	}
	m.do("systemd-analyze security --no-pager --threshold=20 " + unit)
	if said := m.do("onceward version"); !strings.HasPrefix(said, "onceward 1.0.0 ") {
		m.Errorf("the program says it is %s", said)
	}
	if said := m.fails("onceward proxy --config /etc/onceward/proxy.yaml --check"); !strings.Contains(said, "upstream is missing") {
		m.Errorf("as installed: %s", said)
	}
	commands := m.do("onceward --help | sed -n '/^Available/,/^$/s/^  \\([a-z]*\\) .*/\\1/p'")
	page := m.do("zcat /usr/share/man/man1/onceward.1.gz")
	for _, name := range strings.Fields(commands) {
		if name != "help" && !strings.Contains(page, "\n.B "+name+"\n") {
			m.Errorf("onceward(1) does not have the command %s", name)
		}
	}
}

// configure: the file as it stands needs nothing but the upstream, and what is commented out in it is right.
func (m *installed) configure() {
	const file = "/etc/onceward/proxy.yaml"
	m.do("sed 's/^#\\([a-z]\\|  \\)/\\1/' " + file + " >/tmp/all.yaml && grep -q '^  - match: ' /tmp/all.yaml && onceward proxy --config /tmp/all.yaml --check")
	m.fails("systemctl start " + unit) // and does not only fail later
	m.do("systemctl stop " + unit)
	m.do("sed -i 's/^#upstream:/upstream:/' " + file + " && onceward proxy --config " + file + " --check")
}

// serve: the service runs as its user, shut off from the rest, and does what it is for.
func (m *installed) serve() {
	m.do("systemctl enable --now " + unit)
	status := m.do("cat /proc/" + m.property("MainPID") + "/status")
	for _, want := range []string{
		"Uid:\t" + strings.TrimSpace(m.do("id -u onceward")), "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2",
	} {
		if !strings.Contains(status, want) {
			m.Errorf("the process does not have %q:\n%s", want, status)
		}
	}
	if files := m.property("LimitNOFILE"); files != "65536" { // the machine may have fewer
		m.Errorf("%s files", files)
	}
	if owner := m.do("stat -c '%U %a' /var/lib/onceward"); owner != "onceward 700\n" {
		m.Errorf("the records are open to others: %s", owner)
	}
	for _, path := range []string{"/healthz", "/readyz", "/records"} {
		if status, text := m.ask(path); status != http.StatusOK {
			m.Errorf("%s: %d %s", path, status, text)
		}
	}
	m.fails("runuser -u nobody -- onceward keys list --admin unix:/run/onceward/admin")
	m.do("onceward keys list --admin unix:/run/onceward/admin")
	m.expect("one", "transfer 1", false)
	m.expect("one", "transfer 1", true)
}

// reload: a wrong file fails it, and changes nothing.
func (m *installed) reload() {
	const file = "/etc/onceward/proxy.yaml"
	m.do("cp " + file + " /tmp/right.yaml && echo 'no-such-setting: 1' >>" + file)
	m.fails("systemctl reload " + unit)
	m.expect("one", "transfer 1", true)
	m.do("cp /tmp/right.yaml " + file + " && echo 'routes: [{match: POST /off, key: \"off\"}]' >>" + file + " && systemctl reload " + unit)
	for !strings.Contains(m.do("journalctl --no-pager --unit "+unit), "settings read again") {
	}
	for range 2 {
		if _, replayed := m.post("/off", "one"); replayed {
			m.Error("the new route does not count")
		}
	}
}

// upgrade: what is under way is answered, and what was answered is known to the new version.
func (m *installed) upgrade() {
	before := m.property("MainPID")
	slow := make(chan string, 1)
	go func() {
		text, _ := m.post("/slow", "slow")
		slow <- text
	}()
	<-m.slow
	m.do("dpkg -i /shared/onceward_1.1.0_*.deb")
	first := <-slow
	if first == "" || m.property("ActiveState") != "active" || m.property("MainPID") == before {
		m.Errorf("%q, the service is %s with process %s, before %s", first, m.property("ActiveState"), m.property("MainPID"), before)
	}
	if version := m.do("dpkg-query --show --showformat '${Version}' onceward"); version != "1.1.0" {
		m.Errorf("version %s", version)
	}
	m.do("grep -q '^upstream: ' /etc/onceward/proxy.yaml && grep -q '^routes: ' /etc/onceward/proxy.yaml")
	m.expect("one", "transfer 1", true)
	if again, replayed := m.post("/slow", "slow"); again != first || !replayed {
		m.Errorf("%q, replayed %v; it was %q", again, replayed, first)
	}
}

// leave: removing stops the service and keeps records and settings; purging removes them.
func (m *installed) leave() {
	m.do("dpkg --remove onceward")
	if state := m.property("ActiveState") + " " + m.property("Result"); state != "inactive success" {
		m.Errorf("the removed service is %s", state)
	}
	m.do("test -d /var/lib/onceward/records && test -f /etc/onceward/proxy.yaml && ! test -e /usr/bin/onceward")
	m.do("dpkg -i /shared/onceward_1.1.0_*.deb && systemctl restart " + unit)
	m.expect("one", "transfer 1", true)
	m.do("dpkg --purge onceward")
	m.do("! ls -d /var/lib/onceward /etc/onceward /etc/default/onceward /etc/systemd/system/*.wants/" + unit + " 2>/dev/null")
	if n := m.effects.Load(); n != 4 { // one, twice off, slow
		m.Errorf("%d effects", n)
	}
}
