package redisstore

import (
	"errors"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
	"github.com/onceward/onceward/store/redisstore/redistest"
)

// TestReplayWithoutAScript: what this process has seen to be done is answered from the record alone, as a script would: the same verdicts, record and time. Another
// process needs the script once.
func TestReplayWithoutAScript(t *testing.T) {
	server := redistest.Own(t, redistest.Config{})
	l := openAt(t, Config{movable: true}, server.Address())
	q := claimOf(identity("k", 0), tokenOf(1))
	q.Fingerprints = []store.Fingerprint{{Version: 1, Sum: [32]byte{1}}}
	claim := func(s *Store, change func(*store.ClaimRequest)) store.Answer {
		t.Helper()
		again := q
		again.Token = tokenOf(2)
		change(&again)
		a, err := s.Claim(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	same := func(*store.ClaimRequest) {}
	if a, err := l.Claim(t.Context(), q); err != nil || a.Verdict != store.Granted {
		t.Fatalf("claim: %v, %v", a.Verdict, err)
	}
	done, err := l.Advance(t.Context(), completeOf(q.Identity, q.Token, "paid"))
	if err != nil || done.Verdict != store.Applied {
		t.Fatalf("complete: %v, %v", done.Verdict, err)
	}
	move(t, l, time.Minute)
	other := openAt(t, Config{movable: true}, server.Address())
	for name, s := range map[string]*Store{"its process": l, "another": other} {
		var first store.Answer
		for i := range 3 {
			before := scriptsRun(t, server)
			a := claim(s, same)
			if i == 0 {
				first = a
			}
			if n := scriptsRun(t, server) - before; n != 0 && (i > 0 || s == l) {
				t.Errorf("%s, replay %d: %d scripts", name, i, n)
			}
			if a.Verdict != store.Replay || string(a.Record.Reply) != "paid" || a.Record.Version != done.Record.Version || a.Now < done.Now.Add(time.Minute) || a.Now < first.Now {
				t.Errorf("%s, replay %d: %v %+v at %d, done at %d", name, i, a.Verdict, a.Record, a.Now, done.Now)
			}
		}
		if a := claim(s, func(q *store.ClaimRequest) { q.Fingerprints = []store.Fingerprint{{Version: 1, Sum: [32]byte{2}}} }); a.Verdict != store.Mismatch {
			t.Errorf("%s, another request: %v", name, a.Verdict)
		}
		if a := claim(s, func(q *store.ClaimRequest) { q.Fingerprints = []store.Fingerprint{{Version: 2}} }); a.Verdict != store.Incomparable {
			t.Errorf("%s, a fingerprint that cannot be compared: %v", name, a.Verdict)
		}
	}
	move(t, l, -time.Hour)
	if a := claim(l, same); a.Now < done.Now.Add(time.Minute) { // X4
		t.Errorf("after the clock was set back: %d, done at %d", a.Now, done.Now)
	}
	talk(t, server, "ACL", "SETUSER", "default", "-getex")
	if a := claim(l, same); a.Verdict != store.Replay || string(a.Record.Reply) != "paid" {
		t.Errorf("without the privilege: %v, %q", a.Verdict, a.Record.Reply)
	}
	talk(t, server, "ACL", "SETUSER", "default", "+getex")
	claim(l, same)
	anchor := l.shard(q.ID) + "a" + q.Service
	was := talk(t, server, "GET", anchor).(string)
	talk(t, server, "SETRANGE", anchor, "0", "another")
	if a, err := l.Claim(t.Context(), q); !errors.Is(err, ErrForgotten) {
		t.Errorf("of another store: %v, %v", a.Verdict, err)
	}
	talk(t, server, "SET", anchor, was)
	claim(l, same)
	talk(t, server, "FLUSHALL")
	if _, err := l.Claim(t.Context(), q); !errors.Is(err, ErrForgotten) {
		t.Errorf("of a database that was flushed: %v", err)
	}
}
