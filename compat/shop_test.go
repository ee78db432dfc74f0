package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
)

// shop is the business behind every framework's handlers. A wish says in "do" how its order shall end.
type shop struct {
	orders atomic.Int64  // taken so far, whatever became of them
	begun  chan struct{} // gets one for each order and stream that waits at the gate
	gate   chan struct{} // closed: go on
}

func newShop() *shop { return &shop{begun: make(chan struct{}, 100), gate: make(chan struct{})} }

type order struct {
	ID   int64  `json:"id"`
	Item string `json:"item"`
}

func (o order) location() string { return fmt.Sprintf("/orders/%d", o.ID) }

// refusal is an error that a handler answers in its framework's own manner.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// order takes an order.
func (s *shop) order(ctx context.Context, body []byte) (order, error) {
	var wish struct{ Item, Do string }
	if err := json.Unmarshal(body, &wish); err != nil {
		return order{}, &refusal{http.StatusBadRequest, "not a wish"}
	}
	n := s.orders.Add(1)
	switch wish.Do {
	case "panic":
		panic("the till is broken")
	case "log in":
		return order{}, &refusal{http.StatusUnauthorized, "who are you?"}
	case "sold out":
		return order{}, &refusal{http.StatusNotFound, "sold out"}
	case "wait":
		s.begun <- struct{}{}
		<-s.gate
		if err := ctx.Err(); err != nil {
			return order{}, &refusal{http.StatusInternalServerError, err.Error()}
		}
	}
	return order{n, wish.Item}, nil
}

// stream sends its second line when the gate opens.
func (s *shop) stream(line func(string), flush func()) {
	s.orders.Add(1)
	line("one\n")
	flush()
	s.begun <- struct{}{}
	<-s.gate
	line("two\n")
}
