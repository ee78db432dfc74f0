package demo

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// accounts is how many accounts the bank has, numbered from 0.
const accounts = 100

// transfer is an order to the bank. Its number identifies it in this demo's books; the bank does not look for it in its ledger.
type transfer struct {
	number   int // from 0
	from, to int
	amount   int64 // coins
}

// name is the transfer's on the wire, like "t-000017".
func (t transfer) name() string { return fmt.Sprintf("t-%06d", t.number) }

// numberOf reads a transfer's name; ok is false if there is no such transfer among wanted.
func numberOf(name string, wanted int) (number int, ok bool) {
	digits, found := strings.CutPrefix(name, "t-")
	number, err := strconv.Atoi(digits)
	return number, found && err == nil && number >= 0 && number < wanted
}

// orderTransfers makes the transfers that are wanted: the same for the same seed.
func orderTransfers(seed uint64, n int) []transfer {
	draw := rand.New(rand.NewPCG(seed, 0))
	orders := make([]transfer, n)
	for i := range orders {
		from := draw.IntN(accounts)
		to := (from + 1 + draw.IntN(accounts-1)) % accounts // another one
		orders[i] = transfer{number: i, from: from, to: to, amount: 10 + draw.Int64N(490)}
	}
	return orders
}
