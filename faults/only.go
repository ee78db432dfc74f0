package faults

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// only says which requests faults may strike: those that fit one of the patterns. Empty: all. Each pattern has a mux of its own,
// because in one mux some patterns exclude each other, and nobody asks here which of them fits better.
type only []*http.ServeMux

// fit is what a request is matched with that faults may strike.
type fit struct{}

func (fit) ServeHTTP(http.ResponseWriter, *http.Request) {}

func newOnly(patterns []string) (only, error) {
	var all only
	var wrong []error
	for _, p := range patterns {
		mux, err := newMux(p)
		all, wrong = append(all, mux), append(wrong, err)
	}
	return all, errors.Join(wrong...)
}

// newMux turns ServeMux's panic, its only way to refuse a pattern, into an error.
func newMux(pattern string) (mux *http.ServeMux, err error) {
	if strings.Contains(pattern, "*") { // a letter like any other to ServeMux, and not meant so
		return nil, fmt.Errorf("Only: %q has a *: use {name} for one segment, or a / at the end for everything below", pattern)
	}
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("Only: %q is no pattern like \"POST /transfers/{id}\" or \"/transfers/\": %v", pattern, fault)
		}
	}()
	mux = http.NewServeMux()
	mux.Handle(pattern, fit{})
	return mux, nil
}

func (o only) match(r *http.Request) bool {
	for _, mux := range o {
		h, _ := mux.Handler(r)
		if _, ok := h.(fit); ok { // and not the mux's own redirect or refusal
			return true
		}
	}
	return len(o) == 0
}
