package demo

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Report is what both runs have shown. Its JSON is for programs; its names stay.
//
// The same seed gives the same transfers and the same faults for each send of each transfer. So it gives the same effects, retries and
// losses too, unless this machine is so slow that an attempt times out; times differ, and now and then how many replays there are.
type Report struct {
	Seed     uint64  `json:"seed"`
	Wanted   int     `json:"wanted"` // transfers, each once
	Clients  int     `json:"clients"`
	Loss     float64 `json:"loss"` // probability that a reply is lost
	Naive    Tally   `json:"naive"`
	Onceward Tally   `json:"onceward"`

	example example
}

// Tally is what one run has shown. Effects are counted in the bank's ledger.
type Tally struct {
	Effects          int     `json:"effects"`            // rows of the ledger
	Doubled          int     `json:"doubled"`            // transfers with more than one row
	Lost             int     `json:"lost"`               // transfers without a row
	MoneyFromNowhere int64   `json:"money_from_nowhere"` // coins that moved and that nobody wanted moved
	AccountsWrong    int     `json:"accounts_wrong"`     // accounts whose balance is not what the wanted transfers make it
	FatesWrong       int     `json:"fates_wrong"`        // transfers of which a client has told something that the ledger contradicts
	GaveUp           int     `json:"gave_up"`            // transfers that a client reported as failed
	Unknown          int     `json:"unknown"`            // transfers of which no client knows at the end
	UnknownOnTheWay  int     `json:"unknown_on_the_way"` // sends that ended unknown; the operation was saved and sent again later
	Replays          int     `json:"replays"`            // calls that were answered from the record
	Retries          int     `json:"retries"`            // attempts beyond the first
	Latency          Latency `json:"latency_ms"`
	Network          Losses  `json:"network"`
	Seconds          float64 `json:"seconds"` // the whole run
}

// Latency is from a transfer's first send until its client tells the end, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Losses counts the faults that a run has met.
type Losses struct {
	RequestsLost int64 `json:"requests_lost"`
	RepliesLost  int64 `json:"replies_lost"`
	Duplicates   int64 `json:"duplicates"`
}

// tally counts what a finished trial has left behind.
func (t *trial) tally() Tally {
	rows := t.ledger.rows()
	times := make([]int, len(t.orders))
	for _, row := range rows {
		times[row.transfer.number]++
	}
	result := Tally{
		Effects:         len(rows),
		FatesWrong:      wrongFates(t.told.given(), rows),
		GaveUp:          int(t.gaveUp.Load()),
		Unknown:         len(t.orders) - t.settled,
		UnknownOnTheWay: int(t.doubts.Load()),
		Replays:         int(t.replays.Load()),
		Retries:         max(0, int(t.sends.Load())-len(t.orders)),
		Latency:         latencyOf(t.latency),
		Network: Losses{
			RequestsLost: t.struck.requests.Load(), RepliesLost: t.struck.replies.Load(), Duplicates: t.struck.duplicates.Load(),
		},
		Seconds: t.took.Round(time.Millisecond).Seconds(),
	}
	var wanted [accounts]int64
	for i, n := range times {
		wanted[t.orders[i].from] -= t.orders[i].amount
		wanted[t.orders[i].to] += t.orders[i].amount
		switch {
		case n == 0:
			result.Lost++
		case n > 1:
			result.Doubled++
			result.MoneyFromNowhere += int64(n-1) * t.orders[i].amount
		}
	}
	for i, coins := range t.ledger.balance() {
		if coins != wanted[i] {
			result.AccountsWrong++
		}
	}
	return result
}

func latencyOf(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	sorted := slices.Sorted(slices.Values(all))
	at := func(percent int) float64 {
		return float64(sorted[(len(sorted)-1)*percent/100].Round(100*time.Microsecond)) / float64(time.Millisecond)
	}
	return Latency{P50: at(50), P99: at(99)}
}

// Why a [Report] is no success.
var (
	ErrWrong   = errors.New("with onceward, the ledger is not what was wanted")
	ErrOpen    = errors.New("with onceward, some fates are still unknown")
	ErrNothing = errors.New("the naive run doubled nothing, so that this demo shows nothing")
)

// Verdict is nil if the naive run went wrong and the run with onceward did not.
func (r Report) Verdict() error {
	var wrong []error
	o := r.Onceward
	if o.Effects != r.Wanted || o.Doubled != 0 || o.Lost != 0 || o.AccountsWrong != 0 || o.FatesWrong != 0 {
		wrong = append(wrong, fmt.Errorf("%w: %d effects for %d transfers, %d doubled, %d lost, %d balances wrong, %d fates told wrongly; this is a bug, please report it with the seed %d",
			ErrWrong, o.Effects, r.Wanted, o.Doubled, o.Lost, o.AccountsWrong, o.FatesWrong, r.Seed))
	}
	if o.Unknown != 0 {
		wrong = append(wrong, fmt.Errorf("%w: %d when the time limit was over; try fewer requests or less loss", ErrOpen, o.Unknown))
	}
	if r.Naive.Doubled == 0 {
		wrong = append(wrong, fmt.Errorf("%w; try more --requests or a higher --loss", ErrNothing))
	}
	return errors.Join(wrong...)
}
