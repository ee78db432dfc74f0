package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store/memstore"
)

const receipt = `{"status":201,"header":[{"name":"Content-Type","value":"application/json"}],"body":"{\"payout\":\"po_4711\"}"}`

// The whole way: an operation is unknown, is found, resolved as happened, and its client's retry gets the reply, without a second effect.
func TestKeysResolveWhatHappened(t *testing.T) {
	stations(t, func(t *testing.T, s *station) {
		key, id := s.unknown("alice")
		if status, reply, _ := s.call("alice", key, wavers); status != http.StatusConflict || !strings.Contains(reply, "outcome-unknown") {
			t.Errorf("a retry meanwhile: %d %s", status, reply)
		}
		listed := keys(t, "list", "--state", "unknown").ends(t, 0)
		if !strings.Contains(listed.out, id) || !strings.Contains(listed.out, "unknown ") || strings.Contains(listed.out, key) {
			t.Errorf("the list: %s", listed.out)
		}
		shown := keys(t, "show", id).ends(t, 0)
		for _, want := range []string{id, key, "alice", "payouts", "it is held until its late owner", "first seen"} {
			if !strings.Contains(shown.out, want) {
				t.Errorf("keys show does not say %q:\n%s", want, shown.out)
			}
		}
		o := keys(t, append([]string{"resolve", id, "--happened", "--reply", file(t, receipt)}, s.at(id)...)...).ends(t, 0)
		for _, want := range []string{"decided, by " + olga, "done:reply", "resolved as happened by " + olga + ": " + reason} {
			if !strings.Contains(o.out, want) {
				t.Errorf("keys resolve does not say %q:\n%s", want, o.out)
			}
		}
		status, reply, replayed := s.call("alice", key, wavers)
		if status != http.StatusCreated || reply != payment || !replayed || s.made.Load() != 1 {
			t.Errorf("the client's retry: %d %s, replayed %v, %d effects", status, reply, replayed, s.made.Load())
		}
		if trail := s.record(id).Trail; len(trail) != 1 || trail[0].Actor != olga || trail[0].Reason != reason {
			t.Errorf("the trail: %v", trail)
		}
		if o := keys(t, "show", id, "--reply").ends(t, 0); !strings.Contains(o.out, "reply      201\n  Content-Type: application/json\n  20 bytes\n  | "+payment) {
			t.Errorf("the reply, asked for:\n%s", o.out)
		}
		if o := keys(t, "list").ends(t, 0); o.out != "" || !strings.Contains(o.notes, "no such operations") {
			t.Errorf("what is left: %q %q", o.out, o.notes)
		}
	})
}

// It did not happen: the key is burnt, and a new one is safe only if somebody vouches for it.
func TestKeysResolveWhatDidNotHappen(t *testing.T) {
	stations(t, func(t *testing.T, s *station) {
		for _, attested := range []bool{false, true} {
			key, id := s.unknown("alice")
			args := append([]string{"resolve", id, "--did-not-happen", "-o", "json"}, s.at(id)...)
			if attested {
				args = append(args, "--attested")
			}
			made := decode[oncehttp.AdminDecision](t, keys(t, args...).ends(t, 0).out)
			if made.Record.End != "not-executed" || made.Record.SafeNewKey != attested || made.Actor != olga {
				t.Errorf("attested %v: %+v", attested, made)
			}
			status, reply, _ := s.call("alice", key, wavers)
			if status != http.StatusConflict || !strings.Contains(reply, "not-executed") || !strings.Contains(reply, fmt.Sprintf(`"safe_new_key":%v`, attested)) {
				t.Errorf("attested %v: the client's retry: %d %s", attested, status, reply)
			}
		}
	})
}

// Without a reply callers are told that it was executed.
func TestKeysResolveWithoutAReply(t *testing.T) {
	s := memoryStation(t)
	key, id := s.unknown("alice")
	keys(t, append([]string{"resolve", id, "--happened", "--no-reply"}, s.at(id)...)...).ends(t, 0)
	if status, reply, _ := s.call("alice", key, wavers); status != http.StatusConflict || !strings.Contains(reply, "reply-not-kept") {
		t.Errorf("%d %s", status, reply)
	}
}

// An owner that was thought to be gone comes back with its reply: before somebody has decided it wins, and afterwards the trail says that the decision
// was wrong.
func TestKeysAndALateOwner(t *testing.T) {
	for _, decided := range []bool{false, true} {
		clock := newTick(time.Now())
		s := newStation(t, memstore.New(memstore.Config{Clock: clock.now}), onceward.Config{})
		key, ended, begun := minted(t), make(chan int, 1), s.begun
		go func() {
			status, _, _ := s.call("alice", key, stalls)
			ended <- status
		}()
		<-begun
		id := idOf(t, "alice", key)
		o := keys(t, "resolve", id, "--did-not-happen", "--reason", reason, "--yes", "--version", fmt.Sprint(s.record(id).Record.Version))
		o.ends(t, exitConflict, "its owner is at work", "now started")
		clock.pass(onceward.DefaultLease)
		looked := s.at(id)
		if decided {
			keys(t, append([]string{"resolve", id, "--did-not-happen"}, looked...)...).ends(t, 0)
		}
		close(s.finish)
		status := <-ended
		again := keys(t, append([]string{"resolve", id, "--did-not-happen"}, looked...)...)
		shown := keys(t, "show", id).ends(t, 0)
		if !decided {
			again.ends(t, exitConflict, "done already", "now done:reply")
			if status != http.StatusCreated || strings.Contains(shown.out, "CONTRADICTION") {
				t.Errorf("the owner came first: %d\n%s", status, shown.out)
			}
			continue
		}
		again.ends(t, exitConflict, "done already", "now done:not-executed")
		if status != http.StatusConflict || !strings.Contains(shown.out, "CONTRADICTION: its late owner") {
			t.Errorf("the owner came afterwards: %d\n%s", status, shown.out)
		}
	}
}

// A claim that never started is freed, or will never run; what started is neither.
func TestKeysReleaseAndCancel(t *testing.T) {
	stations(t, func(t *testing.T, s *station) {
		_, id := s.claimed("alice")
		_, held := s.unknown("alice")
		keys(t, append([]string{"release", held}, s.at(held)...)...).ends(t, exitConflict, "resolve it", "Nothing was changed", "now unknown")
		keys(t, "cancel", held, "--reason", reason, "--yes").ends(t, exitConflict, "resolve it", "Nothing was changed")
		s.untouched(held, "unknown")
		o := keys(t, append([]string{"release", id}, s.at(id)...)...).ends(t, 0)
		if !strings.Contains(o.out, "absent: there is no record of it") || !strings.Contains(o.out, "released by "+olga) {
			t.Errorf("afterwards:\n%s", o.out)
		}
		_, id = s.claimed("bob")
		keys(t, "cancel", id, "--reason", reason, "--yes").ends(t, 0)
		never := minted(t)
		keys(t, "cancel", "--service", "payouts", "--principal", "bob", "--key", never, "--reason", reason, "--yes", "-o", "jsonl").ends(t, 0)
		if status, reply, _ := s.call("bob", never, pays); status != http.StatusConflict || !strings.Contains(reply, `"safe_new_key":true`) {
			t.Errorf("a late copy: %d %s", status, reply)
		}
	})
}
