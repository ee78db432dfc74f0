// Package targets lists what package behave compares.
package targets

import (
	"github.com/onceward/onceward/bench/behave/contract"
	"github.com/onceward/onceward/bench/behave/targets/gofiber"
	"github.com/onceward/onceward/bench/behave/targets/naive"
	"github.com/onceward/onceward/bench/behave/targets/ours"
)

// Target is a server that can be started here.
type Target struct {
	Name    string                           // a column of the tables
	Setup   string                           // how it is configured
	Reasons map[string]string                // why it fails what it fails, by case, looked up in its source
	Start   func() (contract.Running, error) // on free ports of the loopback interface
}

// All lists the targets in the order of the columns.
func All() []Target {
	return []Target{
		{Name: "onceward", Setup: ours.Setup, Start: ours.Start},
		{Name: "gofiber/fiber v3", Setup: gofiber.Setup, Reasons: gofiber.Reasons(), Start: gofiber.Start},
		{Name: "naive SETNX", Setup: naive.Setup, Reasons: naive.Reasons(), Start: naive.Start},
	}
}

// Unavailable lists the modules that would be compared too, and that the Go module proxy does not serve. Nobody's code is imitated.
func Unavailable() []string {
	return []string{
		"github.com/bright-room/idem", "github.com/repenguin22/idemlease", "github.com/anandsundar/go-idempotency", "github.com/goceleris/celeris",
		"github.com/eben-vranken/idempo", "github.com/sevenjl/go-zero-idempotency-plugin-development", "github.com/fco-gt/gopotency",
		"github.com/faustbrian/go-idempotency/v2",
	}
}
