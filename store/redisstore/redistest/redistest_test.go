package redistest_test

import (
	"os"
	"testing"

	"github.com/onceward/onceward/store/redisstore/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Main(m)) }

func talk(t *testing.T, s *redistest.Server, command ...string) any {
	t.Helper()
	reply, err := s.Talk(command...)
	if err != nil {
		t.Fatalf("%q: %v", command, err)
	}
	return reply
}

func TestDurableKeepsThroughAKillAndOthersDoNot(t *testing.T) {
	for _, durable := range []bool{true, false} {
		s := redistest.Own(t, redistest.Config{Durable: durable})
		talk(t, s, "SET", "k", "v")
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := talk(t, s, "GET", "k"); (got == "v") != durable {
			t.Errorf("durable %v: after a kill the key is %v", durable, got)
		}
	}
}

func TestSettingsWin(t *testing.T) {
	s := redistest.Own(t, redistest.Config{Settings: map[string]string{"maxmemory": "9mb"}})
	if got := talk(t, s, "CONFIG", "GET", "maxmemory").([]any)[1]; got != "9437184" {
		t.Errorf("maxmemory is %v", got)
	}
	if got := redistest.Shared(t); got != redistest.Shared(t) {
		t.Error("two shared servers")
	}
}
