package demo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/onceward/onceward/retry"
)

// Bounds of a [Config].
const (
	MaxRequests = 100_000 // lost replies close connections, and a system has only so many ports
	MaxClients  = 512     // as many as the network keeps connections to the bank
	MaxLoss     = 0.9     // of the replies; beyond it almost nothing gets through
)

// What the network does besides losing replies, as probabilities for each send.
const (
	requestLoss = 0.05
	duplication = 0.03
)

const defaultTimeLimit = 2 * time.Minute

// ErrConfig is in every error of [Run] that is about its Config.
var ErrConfig = errors.New("the demo's settings are wrong")

// Config says what to run. Requests and Clients have no default.
type Config struct {
	Requests int     // transfers wanted, 1 to MaxRequests
	Clients  int     // that send at the same time, 1 to MaxClients
	Loss     float64 // probability that a reply is lost, 0 to MaxLoss
	Seed     uint64  // chooses transfers and faults. Every value is a seed, also zero

	TimeLimit time.Duration  // of each run; default 2 min. What is not known then stays unknown
	Progress  func(Progress) // called one at a time, and must be quick; default: nobody is told
	Clock     retry.Clock    // default: the real one
	Rand      func() float64 // in [0, 1), for the clients' jitter, safe for concurrent use; default math/rand/v2.Float64

	unguarded bool // for tests: the server half is missing from the run with onceward
}

// Progress says how far a run has come.
type Progress struct {
	Run     string // "naive" or "onceward"
	Settled int    // transfers of which the client has told the end
	Wanted  int
}

func (c Config) withDefaults() Config {
	if c.TimeLimit == 0 {
		c.TimeLimit = defaultTimeLimit
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	c.Clock = c.Clock.WithDefaults()
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	return c
}

// validate names every fault at once.
func (c Config) validate() error {
	var wrong []error
	if c.Requests < 1 || c.Requests > MaxRequests {
		wrong = append(wrong, fmt.Errorf("requests is %d: use 1 to %d", c.Requests, MaxRequests))
	}
	if c.Clients < 1 || c.Clients > MaxClients {
		wrong = append(wrong, fmt.Errorf("clients is %d: use 1 to %d", c.Clients, MaxClients))
	}
	if !(c.Loss >= 0 && c.Loss <= MaxLoss) { // refuses NaN as well
		wrong = append(wrong, fmt.Errorf("loss is %g: use a probability from 0 to %g", c.Loss, MaxLoss))
	}
	if c.TimeLimit < 0 {
		wrong = append(wrong, fmt.Errorf("time limit is %v: use more than 0", c.TimeLimit))
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrConfig, errors.Join(wrong...))
}
