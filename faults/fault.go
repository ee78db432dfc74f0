package faults

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// A Fault is one way to misbehave, with its probability. Each has a constructor: [LoseRequest], [LoseReply], [CutReply], [Reset],
// [Hang], [Duplicate], [Delay].
type Fault struct {
	name        string
	probability float64 // for each arrival
	place       place
	plan        func(draw *rand.Rand) strike
	wrong       error // what else the constructor was given and cannot be
}

// place is where on its way from client to upstream a request meets the fault.
type place uint8

const (
	placeDuplicate place = iota + 1
	placeDelay
	placeEnd // ends the exchange: at most one of these strikes an arrival
)

// strike is what one fault does to one arrival, drawn before anything happens to it.
type strike struct {
	detail    string // for the log; of what was drawn only, so that it is the same in every run
	needsBody bool   // the whole request must have been read; if it is too large, the strike is skipped
	wrap      func(n *Network, next http.Handler) http.Handler
}

// Name returns the fault's name as it stands in an [Event], like "lose-reply".
func (f Fault) Name() string { return f.name }

// String returns name and probability, like "lose-reply 0.3".
func (f Fault) String() string { return fmt.Sprintf("%s %g", f.name, f.probability) }

// inOrder copies faults into the order in which requests meet them.
func inOrder(faults []Fault) []Fault {
	faults = slices.Clone(faults)
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.name, b.name))
	})
	return faults
}

// rounding is how far a sum of probabilities that a person made to be 1 may be over it.
const rounding = 1e-9

func validateFaults(faults []Fault) error {
	var wrong []error
	ends, enders := 0.0, []string(nil)
	for i, f := range faults {
		if f.plan == nil {
			wrong = append(wrong, errors.New("Faults has an empty Fault: make it with its constructor, like LoseReply"))
			continue
		}
		if !(f.probability >= 0 && f.probability <= 1) { // also catches NaN
			wrong = append(wrong, fmt.Errorf("Faults: the probability of %s is %g: must be from 0 to 1", f.name, f.probability))
		} else if f.place == placeEnd {
			ends, enders = ends+f.probability, append(enders, f.String())
		}
		if f.wrong != nil {
			wrong = append(wrong, fmt.Errorf("Faults: %s: %w", f.name, f.wrong))
		}
		if i > 0 && faults[i-1].name == f.name {
			wrong = append(wrong, fmt.Errorf("Faults: %s is given twice: its decisions would be the same", f.name))
		}
	}
	if ends > 1+rounding {
		wrong = append(wrong, fmt.Errorf("Faults: the probabilities of %s add up to %.6g: at most one of them strikes, so they must not be over 1",
			strings.Join(enders, ", "), ends))
	}
	return errors.Join(wrong...)
}
