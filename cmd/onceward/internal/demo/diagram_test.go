package demo

import (
	"strings"
	"testing"
	"time"
)

// timed gives the events times a millisecond apart.
func timed(life []event) []event {
	for i := range life {
		life[i].at = time.Duration(i+5) * time.Millisecond
	}
	return life
}

func TestDrawLife(t *testing.T) {
	for _, c := range []struct {
		name  string
		life  []event
		keyed bool
		want  string
	}{
		{"a doubled transfer", []event{
			{step: stepSent}, {step: stepArrived}, {step: stepMoved, row: 812, coins: 66}, {step: stepAnswered, status: 201}, {step: stepDropped},
			{step: stepEnded, failed: true, text: endCutOff},
			{step: stepSent}, {step: stepArrived}, {step: stepMoved, row: 99070, coins: 66}, {step: stepAnswered, status: 201}, {step: stepEnded},
			{step: stepSettled, text: "reports: done"},
		}, false, `
       client                  network                 server                  ledger
   0.0 ms │── send 1 ────────────►│──────────────────────►│                       │
   2.0 ms │                       │                       │── 66 coins ──────────►│ row 812
   3.0 ms │◄── ✗ lost ─── 201 ────│◄── 201 ───────────────│                       │
   5.0 ms │ cut off: done or not? │                       │                       │
   6.0 ms │── send 2 ────────────►│──────────────────────►│                       │
   8.0 ms │                       │                       │── 66 coins ──────────►│ row 99,070 AGAIN
   9.0 ms │◄── 201 ───────────────│◄── 201 ───────────────│                       │
  11.0 ms │ reports: done         │                       │                       │
`},
		{"lost request, lost reply, saved to disk, replayed", []event{
			{step: stepSent}, {step: stepDropped}, {step: stepEnded, failed: true, text: endCutOff},
			{step: stepSent}, {step: stepArrived}, {step: stepMoved, row: 3, coins: 499}, {step: stepAnswered, status: 201, saved: true}, {step: stepDropped},
			{step: stepEnded, failed: true, text: endCutOff}, {step: stepSaved},
			{step: stepSent}, {step: stepArrived}, {step: stepAnswered, status: 201, saved: true, replayed: true}, {step: stepEnded},
			{step: stepSettled, text: "knows: done, once"},
		}, true, `
       client                  network                 server                  ledger
   0.0 ms │── send 1, key K ─────►│ ✗ lost                │                       │
   2.0 ms │ cut off: done or not? │                       │                       │
   3.0 ms │── send 2, same key ──►│──────────────────────►│                       │
   5.0 ms │                       │                       │── 499 coins ─────────►│ row 3
   6.0 ms │                       │                       │ reply saved under K   │
          │◄── ✗ lost ─── 201 ────│◄── 201 ───────────────│                       │
   8.0 ms │ cut off: done or not? │                       │                       │
   9.0 ms │ unknown; saved to disk│                       │                       │
  10.0 ms │── send 3, same key ──►│──────────────────────►│                       │
  12.0 ms │                       │                       │ K is done: replay     │
          │◄── 201, replayed ─────│◄── 201, replayed ─────│                       │
  14.0 ms │ knows: done, once     │                       │                       │
`},
	} {
		got := "\n" + strings.Join(drawLife(timed(c.life), c.keyed), "\n") + "\n"
		if got != c.want {
			t.Errorf("%s:%s\nwant:%s", c.name, got, c.want)
		}
	}
}

// Whatever order events come in, as with duplicates, drawing ends and stays in its columns.
func TestDrawLifeOfAnyOrder(t *testing.T) {
	var life []event
	for a := stepSent; a <= stepSettled; a++ {
		for b := stepSent; b <= stepSettled; b++ {
			life = append(life, event{step: a, row: 1 << 40, coins: 1 << 40, status: 599, text: strings.Repeat("x", 200)}, event{step: b})
		}
	}
	for _, row := range drawLife(timed(life), true) {
		if n := len([]rune(row)); n > pictureWidth {
			t.Errorf("%d columns: %s", n, row)
		}
	}
}

func TestPickExample(t *testing.T) {
	orders := orderTransfers(1, 4)
	without, with := newDiary(time.Now), newDiary(time.Now)
	for _, s := range []step{stepSent, stepArrived, stepAnswered, stepEnded, stepSettled} {
		without.note(0, event{step: s}) // nothing special
		with.note(0, event{step: s})
	}
	if e := pickExample(orders, without, with); len(e.onceward) != 0 {
		t.Errorf("transfer %d is no example of a lost reply", e.transfer.number)
	}
	for _, s := range append([]step{stepSent, stepDropped, stepEnded}, replayedLife...) {
		with.note(1, event{step: s})
	}
	if e := pickExample(orders, without, with); e.transfer.number != 1 || len(e.onceward) == 0 {
		t.Errorf("transfer %d, want the only one that lost a reply", e.transfer.number)
	}
	for _, s := range doubledLife {
		without.note(2, event{step: s})
	}
	for _, s := range replayedLife {
		with.note(2, event{step: s})
	}
	if e := pickExample(orders, without, with); e.transfer.number != 2 {
		t.Errorf("transfer %d, want the one whose lives explain most", e.transfer.number)
	}
}
