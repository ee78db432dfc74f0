package faultproxy

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/onceward/onceward/faults"
)

// faultFlag is a fault with the flag that sets it.
type faultFlag struct {
	flag        string
	probability float64
	ends        bool // at most one of these strikes a request
	fault       faults.Fault
}

func (c Config) faultFlags() []faultFlag {
	late, _ := c.delay() // validate has told what is wrong with it
	return []faultFlag{
		{"--lose-request", c.LoseRequest, true, faults.LoseRequest(c.LoseRequest)},
		{"--lose-reply", c.LoseReply, true, faults.LoseReply(c.LoseReply)},
		{"--cut", c.Cut, true, faults.CutReply(c.Cut)},
		{"--reset", c.Reset, true, faults.Reset(c.Reset)},
		{"--hang", c.Hang, true, faults.Hang(c.Hang, c.HangLimit)},
		{"--duplicate", c.Duplicate, false, faults.Duplicate(c.Duplicate)},
		{"--delay", late.probability, false, faults.Delay(late.probability, late.least, late.most)},
	}
}

func (c Config) validateFaults() error {
	var wrong []error
	sum := 0.0
	names := ""
	for _, f := range c.faultFlags() {
		switch {
		case !(f.probability >= 0 && f.probability <= 1): // refuses NaN as well
			wrong = append(wrong, fmt.Errorf("%s is %g: use a probability from 0 to 1", f.flag, f.probability))
		case f.ends && f.probability > 0:
			sum += f.probability
			names += fmt.Sprintf(" %s %g", f.flag, f.probability)
		}
	}
	if sum > 1+1e-9 {
		wrong = append(wrong, fmt.Errorf("together%s are %.6g: at most one of them strikes a request, so use no more than 1", names, sum))
	}
	return errors.Join(wrong...)
}

// lateness is what --delay says.
type lateness struct {
	probability float64
	least, most time.Duration
}

// delay reads --delay. validateFaults checks the probability.
func (c Config) delay() (lateness, error) {
	if c.Delay == "" {
		return lateness{}, nil
	}
	probability, times, _ := strings.Cut(c.Delay, ":")
	from, to, _ := strings.Cut(times, "-")
	p, e1 := strconv.ParseFloat(probability, 64)
	least, e2 := time.ParseDuration(from)
	most, e3 := time.ParseDuration(to)
	if e1 != nil || e2 != nil || e3 != nil {
		return lateness{}, fmt.Errorf("--delay is %q: use a probability and two times, like 0.2:10ms-2s", c.Delay)
	}
	if least < 0 || most < least || most > MaxWait {
		return lateness{}, fmt.Errorf("--delay is from %v to %v: use times from 0 to %v, the shorter one first", least, most, MaxWait)
	}
	return lateness{p, least, most}, nil
}

// network is the configuration of the faults.
func (c Config) network(log func(faults.Event)) faults.Config {
	cfg := faults.Config{Seed: c.Seed, Only: c.Only, MaxBody: c.MaxBody, Log: log}
	for _, f := range c.faultFlags() {
		if f.probability > 0 {
			cfg.Faults = append(cfg.Faults, f.fault)
		}
	}
	if http.CanonicalHeaderKey(c.Identity) != DefaultIdentity {
		cfg.Identity = func(r *http.Request) string {
			if value := r.Header.Get(c.Identity); value != "" {
				return "header " + value
			}
			return "path " + r.Method + " " + r.URL.Path
		}
	}
	return cfg
}
