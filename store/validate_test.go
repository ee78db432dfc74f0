package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onceward/onceward/store"
)

func validIdentity() store.Identity {
	return store.Identity{ID: store.ID{1}, Service: "orders", Principal: "alice", Key: "secret-key", Stamp: 1}
}

func validClaim() store.ClaimRequest {
	return store.ClaimRequest{
		Identity: validIdentity(), Token: store.Token{1}, Lease: time.Second, Fingerprints: []store.Fingerprint{{Version: 1}},
	}
}

func validComplete() store.AdvanceRequest {
	return store.AdvanceRequest{Identity: validIdentity(), Token: store.Token{1}, Op: store.OpComplete, End: store.EndReply, Reply: []byte{}}
}

func validDecide() store.DecideRequest {
	return store.DecideRequest{Identity: validIdentity(), Token: store.Token{1}, Decision: store.Happened, Actor: "op", Reason: "log"}
}

// Every case breaks one rule of a valid request; the error must name the field and nothing else.
func TestValidateNamesTheField(t *testing.T) {
	claim := func(f func(*store.ClaimRequest)) error { q := validClaim(); f(&q); return q.Validate() }
	advance := func(f func(*store.AdvanceRequest)) error { q := validComplete(); f(&q); return q.Validate() }
	decide := func(f func(*store.DecideRequest)) error { q := validDecide(); f(&q); return q.Validate() }
	for _, c := range []struct {
		field string
		err   error
	}{
		{"ID", claim(func(q *store.ClaimRequest) { q.ID = store.ID{} })},
		{"Service", claim(func(q *store.ClaimRequest) { q.Service = "" })},
		{"Service", claim(func(q *store.ClaimRequest) { q.Service = strings.Repeat("s", store.MaxName+1) })},
		{"Principal", claim(func(q *store.ClaimRequest) { q.Principal = "" })},
		{"Key", claim(func(q *store.ClaimRequest) { q.Key = "" })},
		{"Key", claim(func(q *store.ClaimRequest) { q.Key = strings.Repeat("k", store.MaxKey+1) })},
		{"Stamp", claim(func(q *store.ClaimRequest) { q.Stamp = -1 })},
		{"Token", claim(func(q *store.ClaimRequest) { q.Token = store.Token{} })},
		{"Fingerprints[0].Version", claim(func(q *store.ClaimRequest) { q.Fingerprints[0].Version = 0 })},
		{"Policy", claim(func(q *store.ClaimRequest) { q.Policy = 2 })},
		{"Lease", claim(func(q *store.ClaimRequest) { q.Lease = 0 })},
		{"Window", claim(func(q *store.ClaimRequest) { q.Window = -1 })},
		{"Guard", claim(func(q *store.ClaimRequest) { q.Guard = -1 })},
		{"Horizon", claim(func(q *store.ClaimRequest) { q.Horizon = -1 })},
		{"ValidUntil", claim(func(q *store.ClaimRequest) { q.ValidUntil = -1 })},
		{"Reserve", claim(func(q *store.ClaimRequest) { q.Reserve = -1 })},
		{"Op", advance(func(q *store.AdvanceRequest) { q.Op, q.Reply = 0, nil })},
		{"Op", advance(func(q *store.AdvanceRequest) { q.Op, q.Reply = 99, nil })},
		{"Token", advance(func(q *store.AdvanceRequest) { q.Token = store.Token{} })},
		{"Lease", advance(func(q *store.AdvanceRequest) { q.Op, q.Reply = store.OpExtend, nil })},
		{"Lease", advance(func(q *store.AdvanceRequest) { q.Op, q.Reply = store.OpStart, nil })},
		{"End", advance(func(q *store.AdvanceRequest) { q.End, q.Reply = store.EndNotExecuted, nil })},
		{"Reply", advance(func(q *store.AdvanceRequest) { q.End = store.EndReplyNotKept })},
		{"Reply", advance(func(q *store.AdvanceRequest) { q.Op = store.OpYield })},
		{"ValidUntil", advance(func(q *store.AdvanceRequest) { q.Op, q.Reply, q.ValidUntil = store.OpRelease, nil, -1 })},
		{"Decision", decide(func(q *store.DecideRequest) { q.Decision = 9 })},
		{"Actor", decide(func(q *store.DecideRequest) { q.Actor = "" })},
		{"Reason", decide(func(q *store.DecideRequest) { q.Reason = "" })},
		{"Reason", decide(func(q *store.DecideRequest) { q.Reason = strings.Repeat("r", store.MaxReason+1) })},
		{"Reply", decide(func(q *store.DecideRequest) { q.Decision, q.Reply = store.DidNotHappen, []byte{} })},
		{"Attested", decide(func(q *store.DecideRequest) { q.Attested = true })},
		{"Class", store.ListRequest{Limit: 1}.Validate()},
		{"Limit", store.ListRequest{Class: store.ClassOpen}.Validate()},
		{"Limit", store.ListRequest{Class: store.ClassOpen, Limit: store.MaxPage + 1}.Validate()},
		{"Before", store.ListRequest{Class: store.ClassOpen, Limit: 1, Before: -1}.Validate()},
		{"Limit", store.TrailRequest{}.Validate()},
		{"Limit", store.PurgeRequest{}.Validate()},
		{"Tolerance", store.PurgeRequest{Limit: 1, Tolerance: -1}.Validate()},
		{"service", store.ValidateSeal("", 1)},
		{"until", store.ValidateSeal("orders", -1)},
	} {
		prefix := store.ErrInvalid.Error() + ": " + c.field + " "
		if !errors.Is(c.err, store.ErrInvalid) || !strings.HasPrefix(c.err.Error(), prefix) || strings.Contains(c.err.Error(), "\n") {
			t.Errorf("want one fault, in %s: %v", c.field, c.err)
		}
	}
}

func TestValidateAcceptsWhatIsRight(t *testing.T) {
	longest := validClaim()
	longest.Service, longest.Principal, longest.Key = strings.Repeat("s", store.MaxName), strings.Repeat("p", store.MaxName), strings.Repeat("k", store.MaxKey)
	longest.Fingerprints = nil
	for i, err := range []error{
		validIdentity().Validate(), validClaim().Validate(), validComplete().Validate(), validDecide().Validate(), longest.Validate(),
		store.DecideRequest{Identity: validIdentity(), Token: store.Token{1}, Decision: store.Cancel}.Validate(),
		store.AdvanceRequest{Identity: validIdentity(), Token: store.Token{1}, Op: store.OpYield}.Validate(),
		store.ListRequest{Class: store.ClassDone, Limit: store.MaxPage}.Validate(),
		store.TrailRequest{Limit: 1}.Validate(), store.PurgeRequest{Limit: 1}.Validate(), store.ValidateSeal("orders", 0),
	} {
		if err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

func TestValidateTellsAllFaultsAndNoKey(t *testing.T) {
	q := validClaim()
	q.Key = strings.Repeat("secret-key", 100)
	q.Service, q.Lease, q.Token = "", 0, store.Token{}
	text := q.Validate().Error()
	for _, field := range []string{"Service", "Key", "Lease", "Token"} {
		if !strings.Contains(text, field) {
			t.Errorf("%s is missing in %q", field, text)
		}
	}
	if strings.Contains(text, "secret") {
		t.Errorf("the error shows the key: %q", text)
	}
}

func TestValidateCostsNoAllocation(t *testing.T) {
	q, c := validClaim(), validComplete()
	if n := testing.AllocsPerRun(100, func() { _, _ = q.Validate(), c.Validate() }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
