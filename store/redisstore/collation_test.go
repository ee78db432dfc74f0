package redisstore

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

var comparedStrings = regexp.MustCompile(`\b(id|from|behind|service|bound|token|store)\s*[<>]|[<>]=?\s*(id|from|behind|service|bound|token|store)\b`)

// TestListingInAnotherLanguage: the server sets Lua's order of strings by its language, which is that of the system where the service manager starts it. Each of the open records whose leases end in the same
// millisecond is listed once all the same, where a page ends between them. Where this machine cannot make such a language, only the scripts' text is looked at.
func TestListingInAnotherLanguage(t *testing.T) {
	if found := comparedStrings.FindString(luaList + luaPurge + luaStats + luaClaim + luaShard); found != "" {
		t.Errorf("a script compares strings: %q", found)
	}
	dir := t.TempDir()
	if out, err := exec.Command("localedef", "-i", "en_US", "-f", "UTF-8", filepath.Join(dir, "en_US.UTF-8")).CombinedOutput(); err != nil {
		t.Logf("there is no other language: %v: %s", err, out)
		return
	}
	for _, d := range []string{dir, filepath.Dir(dir)} { // the server may run as another user
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("LOCPATH", dir)
	t.Setenv("LC_ALL", "en_US.UTF-8")
	server := redistest.Own(t, redistest.Config{})
	s := openAt(t, Config{Shards: 1}, server.Address())
	lease, err := s.clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lease += 3600_000
	var want, got []store.ID
	for n := range uint64(40) {
		who := identity(fmt.Sprint(n), 0)
		if _, err := s.Claim(t.Context(), claimOf(who, tokenOf(n))); err != nil {
			t.Fatal(err)
		}
		talk(t, server, "SETRANGE", s.tags[0]+"r"+string(who.ID[:]), "32", rueidis.BinaryString(append48(nil, lease)))
		talk(t, server, "ZADD", s.tags[0]+"s", fmt.Sprint(lease), string(who.ID[:]))
		want = append(want, who.ID)
	}
	slices.SortFunc(want, func(a, b store.ID) int { return slices.Compare(a[:], b[:]) })
	for q := (store.ListRequest{Class: store.ClassOpen, Limit: 3}); ; {
		page, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			got = append(got, r.ID)
		}
		if q.Cursor = page.Next; page.Next == "" || len(got) > 2*len(want) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed are %d of %d, want all, in the order of their bytes", len(got), len(want))
	}
}
