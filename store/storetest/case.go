package storetest

import (
	"slices"
	"strings"
	"testing"
)

// Case is one case of the suite.
type Case struct {
	Name string // the clause's number, an underscore, and what must hold
	run  func(*world)
}

// Cases returns all cases, in the order of the contract.
func Cases() []Case {
	return slices.Concat(
		concurrencyCases, randomCases, durabilityCases, clockCases, closeCases,
		claimCases, admissionCases, staleCases, capacityCases,
		advanceCases, releaseCases, waitCases,
		decideCases, cancelCases, getCases, findCases, listCases, trailCases,
		sealCases, purgeCases,
	)
}

// Clause is the number of the clause to which the case holds a store.
func (c Case) Clause() string {
	clause, _, _ := strings.Cut(c.Name, "_")
	return clause
}

// Run runs the case on a fresh store.
func (c Case) Run(t testing.TB, h Harness) {
	t.Helper()
	c.run(newWorld(t, h))
}
