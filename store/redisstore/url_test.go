package redisstore

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// lives opens a store by its URL and takes one operation through its life.
func lives(t *testing.T, url string) {
	t.Helper()
	s, err := Open(t.Context(), url, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	who := identity("one", 0)
	if a, err := s.Claim(t.Context(), claimOf(who, tokenOf(1))); err != nil || a.Verdict != store.Granted {
		t.Fatalf("claim: %v, %v", a.Verdict, err)
	}
	woken := make(chan error, 1)
	go func() { woken <- s.Wait(t.Context(), who, store.FirstVersion(tokenOf(1))) }()
	if a, err := s.Advance(t.Context(), completeOf(who, tokenOf(1), "paid")); err != nil || a.Verdict != store.Applied {
		t.Fatalf("complete: %v, %v", a.Verdict, err)
	}
	if err := <-woken; err != nil {
		t.Errorf("wait: %v", err)
	}
	if a, err := s.Claim(t.Context(), claimOf(who, tokenOf(2))); err != nil || a.Verdict != store.Replay {
		t.Errorf("replay: %v, %v", a.Verdict, err)
	}
}

func TestURLs(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	lives(t, "redis://"+server.Address())
	lives(t, "redis://"+server.Address()+"/3?prefix=p&shards=2&timeout=1s&max-reply=1000")
	if n := talk(t, server, "EXISTS", "p:layout"); n != int64(0) {
		t.Error("the database in the path was not taken")
	}
	sentinel := redistest.OwnSentinel(t, redistest.Config{})
	lives(t, "redis+sentinel://"+sentinel.Watcher.Address()+"/"+redistest.MasterSet+"?allow-lossy-failover=true")
}

func TestURLsOfAClusterAndOfTLS(t *testing.T) {
	t.Parallel() // it has a server of its own
	if testing.Short() {
		t.Skip("long; -short is for the race detector, after a run without it")
	}
	cluster := redistest.OwnCluster(t, 3, redistest.Config{})
	lives(t, "redis+cluster://"+cluster.Nodes[0].Address()+","+cluster.Nodes[1].Address()+"?allow-lossy-failover=true")

	dir, port := certificates(t)
	redistest.Own(t, redistest.Config{Settings: map[string]string{
		"tls-port": port, "tls-cert-file": filepath.Join(dir, "cert"), "tls-key-file": filepath.Join(dir, "key"), "tls-auth-clients": "no",
	}})
	lives(t, "rediss://127.0.0.1:"+port+"?ca="+filepath.Join(dir, "cert"))
	if _, err := Open(t.Context(), "rediss://127.0.0.1:"+port, Config{}); err == nil {
		t.Error("a certificate was trusted that nobody vouches for")
	}
}

// certificates makes a certificate that vouches for itself, where the server's account can read it, and finds a port.
func certificates(t *testing.T) (dir, port string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, &plan, &plan, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: cert}, "key": {Type: "PRIVATE KEY", Bytes: private}} {
		var b bytes.Buffer
		if err := pem.Encode(&b, block); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return dir, port
}

// TestURLsThatAreWrong: each says what is wrong, and none shows the password.
func TestURLsThatAreWrong(t *testing.T) {
	t.Setenv(passwordVariable, "")
	for address, says := range map[string]string{
		"127.0.0.1:6379":                                   "no scheme",
		"http://u:secret@h":                                "scheme",
		"redis://secret@h":                                 "user without a password",
		"redis://u:secret@":                                "host is missing",
		"redis://u:secret@h/x":                             "database",
		"redis://u:secret@h1,h2":                           "several hosts",
		"redis+sentinel://u:secret@h":                      "master set",
		"redis://u:secret@h?frobnicate=1":                  "there are prefix",
		"redis://u:sec/secret@h":                           "%2F",
		"redis://u:sec?secret@h":                           "%3F",
		"redis://u:secret":                                 "a port is no number",
		"redis://u:secret@h:0":                             "a port is no number",
		"redis://u:secret@h?secret":                        "there are prefix",
		"redis://u:secret@h?timeout=secret":                "timeout",
		"secret://h":                                       "scheme",
		"redis://u:secret@h/secret":                        "database",
		"redis://u:secret@h?password-file=/nowhere":        "there is a password already",
		"redis://u@h?password-file=/nowhere":               "/nowhere",
		"redis+sentinel://h/m?sentinel-password-file=/no":  "/no:",
		"redis://u:secret@h?timeout=soon":                  "timeout",
		"redis://u:secret@h?shards=many":                   "shards",
		"redis://u:secret@h?ca=/nowhere":                   "ca",
		"rediss://u:secret@h?ca=/nowhere":                  "nowhere",
		"redis://u:sec%ret@h":                              "%25",
		"redis://u:secret@127.0.0.1:1?prefix={":            "Prefix",
		"redis+cluster://u:secret@127.0.0.1:1?shards=9999": "Shards",
	} {
		_, err := Open(t.Context(), address, Config{})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
	o, _, err := parseURL("redis://us%65r:p%40ss@h", Config{})
	if err != nil || o.Username != "user" || o.Password != "p@ss" || o.InitAddress[0] != "h:6379" {
		t.Errorf("read as %q %q %q, %v", o.Username, o.Password, o.InitAddress, err)
	}
}

// TestPasswordsFromElsewhere: a file or the environment has them, where nobody sees them in a list of processes.
func TestPasswordsFromElsewhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("from/a?file\nnot this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(passwordVariable, "from-env")
	for address, want := range map[string][3]string{ // user, password, the sentinel's
		"redis://orders@h":                       {"orders", "from-env"},
		"redis://h":                              {},
		"redis://:own@h":                         {"", "own"},
		"redis://orders:own@h":                   {"orders", "own"},
		"redis://orders@h?password-file=" + file: {"orders", "from/a?file"},
		"redis://h?password-file=" + file:        {"", "from/a?file"},
		"redis+sentinel://orders@h/m?sentinel-password-file=" + file:    {"orders", "from-env", "from/a?file"},
		"redis+cluster://orders:own@h?sentinel-password=" + "of-theirs": {"orders", "own", "of-theirs"},
	} {
		o, _, err := parseURL(address, Config{})
		if got := [3]string{o.Username, o.Password, o.Sentinel.Password}; err != nil || got != want {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
	for text, says := range map[string]string{"": "is empty", "\nsecret": "is empty"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := parseURL("redis://h?password-file="+file, Config{}); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestGrants runs a whole conformance suite's worth of commands as a user with the least privileges, and less is refused.
func TestGrants(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	user := func(name, rules string) string {
		talk(t, server, append([]string{"ACL", "SETUSER", name, "on", ">pass"}, strings.Fields(rules)...)...)
		return fmt.Sprintf("redis://%s:pass@%s?prefix=shop&shards=2", name, server.Address())
	}
	lives(t, user("least", Grants("shop")))
	s, err := Open(t.Context(), user("least", Grants("shop")), Config{movable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	talk(t, server, "FLUSHALL")
	for _, c := range calls {
		if s, err = Open(t.Context(), user("least", Grants("shop")), Config{}); err != nil {
			t.Fatal(err)
		}
		other := openAt(t, Config{Prefix: "shop", movable: true}, server.Address()) // who prepares may do more
		call := c.make(&life{T: t, Store: other})
		other.client.Close()
		other.client = s.client
		if _, err := call(context.Background()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		talk(t, server, "FLUSHALL")
	}
	if log := talk(t, server, "ACL", "LOG").([]any); len(log) != 0 {
		t.Errorf("refused: %v", log)
	}
	for _, foreign := range []string{"another", "{another:1}w", "{shopping:1}w", "shop"} {
		if _, err := redistest.TalkAs(server.Address(), "least", "pass", "GET", foreign); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("the user reads %s: %v", foreign, err)
		}
	}
	for _, command := range strings.Fields("evalsha time mget zadd rpush info hmget") {
		if _, err := Open(t.Context(), user("lacks-"+command, Grants("shop")+" -"+command), Config{}); err == nil {
			s, err := Open(t.Context(), user("lacks-"+command, Grants("shop")+" -"+command), Config{})
			if err == nil {
				_, err = s.Claim(t.Context(), claimOf(identity("k", 0), tokenOf(1)))
				if err == nil {
					_, err = s.Advance(t.Context(), completeOf(identity("k", 0), tokenOf(1), "paid"))
				}
				_ = s.Close()
			}
			if err == nil {
				t.Errorf("%s is granted and not needed", command)
			}
		}
	}
}
