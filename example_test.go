package onceward_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/store/memstore"
)

// A queue delivers at least once. The message's own id is the key, so that a message that is delivered again charges nobody again.
func ExampleDo() {
	type message struct {
		ID     string
		Amount int
	}
	type receipt struct{ Charged int }

	guard, err := onceward.New(memstore.New(memstore.Config{}), onceward.Config{})
	if err != nil {
		panic(err)
	}
	defer guard.Close(context.Background())

	charges := 0
	consume := func(ctx context.Context, m message) (receipt, error) {
		key, err := onceward.ParseKey(m.ID)
		if err != nil {
			return receipt{}, err
		}
		scope := onceward.Scope{Service: "billing", Principal: "orders-queue"}
		return onceward.Do(ctx, guard, scope, key, m, func(ctx context.Context) (receipt, error) {
			if m.Amount > 100 {
				return receipt{}, &onceward.Rejection{Code: "too-much", Message: "the limit is 100"}
			}
			charges++
			return receipt{Charged: m.Amount}, nil
		})
	}

	deliveries := []message{{"m-1", 30}, {"m-2", 500}, {"m-1", 30}, {"m-2", 500}, {"m-1", 31}}
	for _, m := range deliveries {
		r, err := consume(context.Background(), m)
		var no *onceward.Rejection
		switch {
		case err == nil:
			fmt.Println(m.ID, "charged", r.Charged)
		case errors.As(err, &no):
			fmt.Println(m.ID, "rejected:", no.Message)
		case errors.Is(err, onceward.ErrKeyReused):
			fmt.Println(m.ID, "is another message's id")
		}
	}
	fmt.Println("charges:", charges)
	// Output:
	// m-1 charged 30
	// m-2 rejected: the limit is 100
	// m-1 charged 30
	// m-2 rejected: the limit is 100
	// m-1 is another message's id
	// charges: 1
}
