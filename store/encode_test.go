package store

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

var exampleDone = Record{
	Identity:    Identity{ID: ID{1}, Service: "orders", Principal: "alice", Key: "k", Stamp: 1_700_000_000_000},
	Fingerprint: Fingerprint{Version: 1, Sum: [32]byte{2}},
	Hint:        3,
	State:       Done,
	Token:       Token{4},
	Policy:      Rerun,
	Doubted:     true,
	Claims:      5,
	FirstSeen:   1_700_000_000_100,
	Version:     6,
	End:         EndReply,
	DoneAt:      1_700_000_000_200,
	PurgeAt:     1_700_086_700_200,
	Reply:       []byte("reply"),
}

// The encoding stands on disks: these bytes must be readable for ever.
const goldenDone = "01" + "ef" + "01" + // version; flags: done, rerun, doubted, stamped, print, reply; end
	"01" + "02" + "00000000000000000000000000000000000000000000000000000000000000" + // fingerprint
	"0000000000000003" + // hint
	"04000000000000000000000000000000" + // token
	"06" + "05" + // version, claims
	"c8a1abfef962" + // first seen
	"c701" + "c801" + "c0bfd752" + // stamp, done, purge, as differences
	"066f7264657273" + "05616c696365" + "016b" + // service, principal, key
	"7265706c79"

func TestEncodingGolden(t *testing.T) {
	got := hex.EncodeToString(AppendRecord(nil, exampleDone))
	if got != goldenDone {
		t.Errorf("the encoding has changed: records on disk would be lost\n got %s\nwant %s", got, goldenDone)
	}
	b, err := hex.DecodeString(goldenDone)
	if err != nil {
		t.Fatal(err)
	}
	r, err := DecodeRecord(exampleDone.ID, b)
	if err != nil || !reflect.DeepEqual(r, exampleDone) {
		t.Errorf("read %+v, %v", r, err)
	}
}

func TestEncodingRoundTrip(t *testing.T) {
	const seed = 1
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 5000 {
		want := randomRecord(rnd)
		b := AppendRecord([]byte("before"), want)
		if most := len("before") + len(want.Service) + len(want.Principal) + len(want.Key) + len(want.Reply) + MaxEncodedOverhead; len(b) > most {
			t.Fatalf("%d bytes, promised at most %d", len(b), most)
		}
		got, err := DecodeRecord(want.ID, b[len("before"):])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("wrote %+v\nread %+v, %v", want, got, err)
		}
	}
}

func randomRecord(rnd *rand.Rand) Record {
	at := func() Time { return Time(rnd.Int64N(1 << 42)) }
	text := func(most int) string { return strings.Repeat("x", 1+rnd.IntN(most)) }
	r := Record{
		Identity: Identity{ID: ID{byte(rnd.Uint32())}, Service: text(MaxName), Principal: text(MaxName), Key: text(MaxKey)},
		Hint:     rnd.Uint64(), State: State(1 + rnd.IntN(3)), Token: Token{byte(rnd.Uint32())}, Policy: Policy(rnd.IntN(2)),
		Doubted: rnd.IntN(2) == 0, Claims: rnd.Uint32(), FirstSeen: at(), Version: rnd.Uint64(),
	}
	if rnd.IntN(2) == 0 {
		r.Stamp = at() + 1
	}
	if rnd.IntN(2) == 0 {
		r.Fingerprint = Fingerprint{Version: uint8(1 + rnd.IntN(255)), Sum: [32]byte{byte(rnd.Uint32())}}
	}
	if r.State != Done {
		r.Lease = at()
		return r
	}
	r.End, r.DoneAt, r.PurgeAt = End(1+rnd.IntN(4)), at(), at()
	r.SafeNewKey = rnd.IntN(2) == 0
	if r.End == EndReply {
		r.Reply = []byte(text(3000)[rnd.IntN(2):])
	}
	return r
}

func TestDecodeRefusesWhatIsNoRecord(t *testing.T) {
	good := AppendRecord(nil, exampleDone)
	header := len(good) - len(exampleDone.Reply)
	for n := range header {
		if _, err := DecodeRecord(ID{}, good[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut after %d of %d bytes: %v", n, header, err)
		}
	}
	newer := append([]byte{2}, good[1:]...)
	if _, err := DecodeRecord(ID{}, newer); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a newer version: %v", err)
	}
	open := exampleDone
	open.State, open.End, open.Reply, open.DoneAt, open.PurgeAt = Started, EndNone, nil, 0, 0
	if _, err := DecodeRecord(ID{}, append(AppendRecord(nil, open), 0)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("trailing bytes: %v", err)
	}
}
