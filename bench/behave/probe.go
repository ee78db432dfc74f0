package behave

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onceward/onceward/bench/behave/contract"
)

const (
	requestLimit = 20 * time.Second        // of one request; a server that waits for the first copy may take its time
	settle       = 30 * time.Millisecond   // for a server to notice that a client has gone
	patience     = 150 * time.Millisecond  // for copies to arrive before a gate opens
	longest      = time.Second             // of both, on a machine that is busy; servers stop waiting after two
	persistence  = 2500 * time.Millisecond // for how long a retry goes on while it is told that the first is under way
	pollEvery    = 3 * time.Millisecond
)

// newControls is for the routes that are not guarded: asking twice is harmless there, so connections are kept.
func newControls() *http.Client {
	return &http.Client{Timeout: requestLimit, Transport: &http.Transport{MaxIdleConnsPerHost: sideBySide}}
}

// Probe is what a check has: a target, names of its own, and ways to send.
type Probe struct {
	ctx      context.Context
	base     string
	about    contract.About
	controls *http.Client
	run      string // of the run: names and keys are new in each
	name     string // of the case
	count    atomic.Int64
	lag      time.Duration // how long it took to see a handler run: a busy machine needs more time for everything
}

// do sends on a connection of its own, since net/http itself sends a request again when a kept connection has died, and does not ask the
// server to close it, which servers treat as a case of its own.
func do(req *http.Request) answer {
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Timeout:       requestLimit,
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	return answerOf(resp, err)
}

// fresh returns a name that no other case has: 32 hexadecimal digits in the shape of a UUID, which servers accept that want one.
func (p *Probe) fresh() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", p.run, p.name, p.count.Add(1)))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}

// ask returns a new operation of alice's, with a key of its own.
func (p *Probe) ask(change ...func(*ask)) ask {
	a := ask{Script: contract.Script{Op: p.name + " " + p.fresh()}, Key: p.fresh(), Principal: "alice"}
	for _, c := range change {
		c(&a)
	}
	return a
}

// asking is ask with a script.
func (p *Probe) asking(s contract.Script) ask {
	return p.ask(func(a *ask) {
		s.Op = a.Script.Op
		a.Script = s
	})
}

func (p *Probe) send(a ask) answer { return p.sendTo(p.base, a) }

func (p *Probe) sendTo(base string, a ask) answer { return p.sendIn(p.ctx, base, a) }

func (p *Probe) sendIn(ctx context.Context, base string, a ask) answer {
	req, err := a.request(ctx, base)
	if err != nil {
		return answer{Err: err}
	}
	return do(req)
}

// later sends in the background. It returns when the request is on its way: a server with a short queue takes its time to accept a connection.
func (p *Probe) later(base string, a ask) <-chan answer {
	done, wrote := make(chan answer, 1), make(chan struct{})
	begun := sync.OnceFunc(func() { close(wrote) })
	ctx := httptrace.WithClientTrace(p.ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { begun() }})
	go func() {
		done <- p.sendIn(ctx, base, a)
		begun()
	}()
	<-wrote
	return done
}

// persist sends until it is told something else than that the first is still under way, or patience ends: as a client does that retries.
func (p *Probe) persist(a ask) answer {
	for end := time.Now().Add(persistence); ; p.pause(20 * time.Millisecond) {
		if got := p.send(a); !got.busy() || time.Now().After(end) {
			return got
		}
	}
}

// control uses an unguarded route of the contract.
func (p *Probe) control(method, path string, q url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(p.ctx, method, p.base+path+"?"+q.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := p.controls.Do(req)
	got := answerOf(resp, err)
	if got.Err == nil && got.Status/100 != 2 {
		got.Err = fmt.Errorf("%s %s: %d", method, path, got.Status)
	}
	return []byte(got.Body), got.Err
}

func (p *Probe) entry(op string) contract.Entry {
	var e contract.Entry
	body, err := p.control(http.MethodGet, contract.PathLedger, url.Values{"op": {op}})
	if err != nil || json.Unmarshal(body, &e) != nil {
		return contract.Entry{Runs: -1, Effects: -1}
	}
	return e
}

func (p *Probe) open(gate string) {
	_, _ = p.control(http.MethodPost, contract.PathOpen, url.Values{"gate": {gate}})
}

// running waits until the handler has begun n times for the operation, and reports whether it has.
func (p *Probe) running(a ask, n int) bool {
	from := time.Now()
	defer func() { p.lag = max(p.lag, time.Since(from)) }()
	return p.until(requestLimit, func() bool { return p.entry(a.Script.Op).Runs >= n })
}

// allow is a time in which something should have happened, longer on a busy machine.
func (p *Probe) allow(d time.Duration) time.Duration { return min(d+10*p.lag, max(d, longest)) }

// until polls for a condition.
func (p *Probe) until(limit time.Duration, is func() bool) bool {
	for end := time.Now().Add(limit); ; p.pause(pollEvery) {
		if is() {
			return true
		}
		if p.ctx.Err() != nil || time.Now().After(end) {
			return false
		}
	}
}

func (p *Probe) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.ctx.Done():
	}
}
