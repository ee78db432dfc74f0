package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/pebblestore"
)

// directory is a closed embedded store with a done and an unknown operation.
func directory(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "payouts")
	s, err := pebblestore.Open(dir, pebblestore.Config{
		MinFree: 1 << 20,
		Clock:   func() time.Time { return time.Now().Add(-time.Minute) }, // the leases are over when somebody looks
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, key := range []string{"done", "unknown"} {
		who := store.Identity{ID: sha256.Sum256([]byte(key)), Service: "payouts", Principal: "alice", Key: key}
		token := store.Token{1}
		if _, err := s.Claim(t.Context(), store.ClaimRequest{Identity: who, Token: token, Start: true, Lease: time.Nanosecond, Window: time.Hour}); err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			continue
		}
		q := store.AdvanceRequest{Identity: who, Token: token, Op: store.OpComplete, End: store.EndReply, Reply: []byte("paid"), Window: time.Hour}
		if _, err := s.Advance(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Seal(t.Context(), "payouts", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

var sizes = regexp.MustCompile(`\d+ bytes`)

func TestVerifyReadsTheDirectory(t *testing.T) {
	dir := directory(t)
	want := `directory DIR, format 1, a bucket is 1h0m0s, N bytes
service "payouts": 0 claimed, 0 started, 1 unknown, 1 done, N bytes, 1 buckets, 0 in the attic, watermark TIME
oldest unknown: TIME
marks: 0
trail: 0 entries
`
	for command, end := range map[string]string{"inspect": "", "verify": "sound: 2 records were read\n"} {
		out, err := run("store", command, dir)
		got := sizes.ReplaceAllString(times.ReplaceAllString(strings.ReplaceAll(out, dir, "DIR"), "TIME"), "N bytes")
		if err != nil || got != want+end {
			t.Errorf("%s: %v\n%s\nwant\n%s", command, err, got, want+end)
		}
	}
}

func TestVerifyFailsOnADamagedDirectory(t *testing.T) {
	dir := directory(t)
	manifests, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
	if err != nil || len(manifests) != 1 {
		t.Fatalf("%v: %v", manifests, err)
	}
	if err := os.Remove(manifests[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := run("store", "verify", dir); err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("verify of a damaged directory: %v", err)
	}
}

func TestDirectoryCommandsRefuse(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, args := range [][]string{
		{"store", "inspect"}, {"store", "verify", "a", "b"}, {"store", "inspect", none}, {"store", "verify", none},
		{"store", "seal", "directory", none, "--service", "payouts", "--until", "now", "--yes"}, {"store", "seal", "directory", "--service", "payouts", "--until", "now"},
	} {
		if out, err := run(args...); err == nil || out != "" {
			t.Errorf("%v: %q, %v", args, out, err)
		}
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a directory was made")
	}
}

func TestSealDirectoryRaisesTheWatermark(t *testing.T) {
	dir := directory(t)
	before := store.TimeOf(time.Now())
	out, err := run("store", "seal", "directory", dir, "--service", "payouts", "--until", "now", "--yes")
	if err != nil || !strings.Contains(out, "directory "+dir) || !strings.Contains(out, "watermark after:  20") {
		t.Errorf("seal: %v\n%s", err, out)
	}
	r, err := pebblestore.Inspect(dir)
	if err != nil || r.Services[0].Stats.Watermark < before {
		t.Errorf("the watermark is %v, %v; want at least %d", r.Services, err, before)
	}
}
