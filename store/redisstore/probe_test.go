package redisstore

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/onceward/onceward/store/redisstore/redistest"
)

var commandIn = regexp.MustCompile(`(?:call|may)\(['"]([A-Z]+)['"]`)

func commandsOf(texts ...string) map[string]bool {
	all := map[string]bool{}
	for _, found := range commandIn.FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		all[found[1]] = true
	}
	return all
}

// TestPrivilegesAreProbed: a user who may not do one of the things that scripts do is refused when the store is opened, and not in the middle of a step: with its claim written and not in the
// index, or with a completion that is done and answered by an error. Redis gives a new user no channels.
func TestPrivilegesAreProbed(t *testing.T) {
	does := commandsOf(luaRecord, luaChanging, luaDue, luaIntroduce, luaShard, luaClaim, luaComplete, luaStep, luaDecide, luaGet, luaLook, luaList, luaStats, luaPurge, luaSeal, luaTrail)
	probed := commandsOf(luaProbe)
	delete(does, "TIME") // with which a probe begins
	if !maps.Equal(does, probed) {
		t.Errorf("scripts do %v\nand are probed for %v", slices.Sorted(maps.Keys(does)), slices.Sorted(maps.Keys(probed)))
	}

	server := redistest.Own(t, redistest.Config{})
	s := openAt(t, Config{}, server.Address())
	keys := talk(t, server, "DBSIZE")
	open := func(rules ...string) error {
		talk(t, server, append([]string{"ACL", "SETUSER", "user", "reset", "on", ">p"}, rules...)...)
		s, err := New(t.Context(), rueidis.ClientOption{InitAddress: []string{server.Address()}, Username: "user", Password: "p"}, Config{})
		if err == nil {
			_ = s.Close()
		}
		return err
	}
	least := strings.Fields(Grants(""))
	if err := open(least...); err != nil {
		t.Errorf("with the least privileges: %v", err)
	}
	for command := range does {
		if err := open(append(least, "-"+command)...); !errors.Is(err, ErrPrivileges) || command != "HGET" && !strings.Contains(strings.ToUpper(err.Error()), command) { // HGET comes before all else
			t.Errorf("without %s: %v", command, err)
		}
	}
	talk(t, server, append([]string{"ACL", "SETUSER", "user", "reset", "on", ">p"}, append(least, "-set")...)...)
	looking, err := New(t.Context(), rueidis.ClientOption{InitAddress: []string{server.Address()}, Username: "user", Password: "p"}, Config{Existing: true})
	if err != nil {
		t.Fatalf("looking without SET: %v", err)
	}
	if _, err := looking.Seal(t.Context(), "orders", 1<<40); !errors.Is(err, ErrPrivileges) || looking.Close() != nil {
		t.Errorf("sealing without SET: %v", err)
	}
	if err := open("~*", "+@all"); !errors.Is(err, ErrPrivileges) || !strings.Contains(err.Error(), "PUBLISH:") {
		t.Errorf("without channels: %v", err)
	} else {
		t.Log(err)
	}
	if err := open("&*", "~onceward:*", "+@all"); !errors.Is(err, ErrPrivileges) {
		t.Errorf("without the shards' keys: %v", err)
	}
	if n := talk(t, server, "DBSIZE"); n != keys {
		t.Errorf("there were %v keys, and after the probes %v: %v", keys, n, talk(t, server, "KEYS", "*"))
	}
	if _, err := s.Seal(t.Context(), "orders", 500); err != nil {
		t.Errorf("the seal that was refused has left half of it: %v", err)
	}
}
