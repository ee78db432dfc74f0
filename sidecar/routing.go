package sidecar

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// routing is one configuration at work. It does not change: a reload puts another in its place, and requests under way end with theirs.
type routing struct {
	cfg     Config
	matcher matcher
	trusted peers
	stream  http.Handler
	rest    *track   // what no route matches
	tracks  []*track // by number of the route
}

// track is what one route does with a request.
type track struct {
	name    string // for metrics and --check
	key     string
	methods []string
	guard   *onceward.Guard
	known   knowing // nil: the middleware asks who calls
	once    http.Handler
	bodyIn  time.Duration
	added   prometheus.Observer
	timeout time.Duration
	drain   time.Duration
	longest time.Duration // from a request's header to its reply's end
}

// readTime is what a client has to read its reply.
const readTime = 2 * time.Minute

// newRouting builds what cfg describes over the guard.
func newRouting(cfg Config, guard *onceward.Guard, up *upstream, who whoFunc, watch *watch, streams *streams) (*routing, error) {
	trusted, err := parsePeers(cfg.TrustedPeers)
	if err != nil {
		return nil, err
	}
	r := &routing{cfg: cfg, trusted: trusted}
	if r.matcher, err = newMatcher(cfg.Routes); err != nil {
		return nil, err
	}
	f := &forwarder{cfg: cfg, up: up, trusted: trusted, log: watch.log, buffers: new(buffers), streams: streams}
	r.stream = f.stream()
	if r.rest, err = f.track(Route{}, guard, who, watch); err != nil {
		return nil, err
	}
	for _, route := range cfg.Routes {
		p, err := f.track(route, guard, who, watch)
		if err != nil {
			return nil, fmt.Errorf("route %s: %w", route.Match, err)
		}
		r.tracks = append(r.tracks, p)
	}
	return r, nil
}

// track builds one route: the middleware in front of the upstream.
func (f *forwarder) track(route Route, guard *onceward.Guard, who whoFunc, watch *watch) (*track, error) {
	cfg := f.cfg.with(route)
	p := &track{name: route.Match, key: cfg.Key, methods: []string{http.MethodPost, http.MethodPatch}, bodyIn: cfg.BodyTimeout, timeout: cfg.Timeout, drain: cfg.Drain}
	p.longest = cfg.BodyTimeout + cfg.Wait + cfg.Timeout + onceward.DefaultSaveLimit + readTime
	if p.name == "" {
		p.name = "*"
	}
	p.added = watch.added.WithLabelValues(p.name)
	if m := methodOf(route.Match); m != "" && !safe(m) && m != http.MethodConnect && !slices.Contains(p.methods, m) {
		p.methods = append(p.methods, m)
	}
	var err error
	if p.guard, err = guard.With(func(c *onceward.Config) { cfg.guardConfig(c); c.Observer = watch.observer(p.name) }); err != nil {
		return nil, err
	}
	ask := who
	if cfg.Scope == scopeJWT {
		ask = toldWho
	}
	scope := oncehttp.Principal(cfg.Service, func(r *http.Request) (string, error) { return ask(r) })
	mw, err := oncehttp.Middleware(newJudging(p.guard, cfg.Scope), scope, oncehttp.Config{
		Methods: p.methods, MaxBody: int64(cfg.MaxBody), Statuses: route.statuses(cfg.Scope), DropHeaders: route.DropHeaders, KeepHeaders: route.KeepHeaders,
		Refused: func(r *http.Request, problem string, err error) { watch.refusal(r.Context(), p.name, problem, err) },
	})
	if err != nil {
		return nil, err
	}
	p.once = mw(f.once(int64(cfg.MaxReply), cfg.Timeout))
	if cfg.Scope == scopeJWT {
		p.known = known(who, func(r *http.Request, err error) { watch.refusal(r.Context(), p.name, "keys-unavailable", err) })
	}
	return p, nil
}

// guardConfig carries what a route may change.
func (c Config) guardConfig(g *onceward.Config) {
	g.OnLapse = onceward.MarkUnknown
	if c.OnLapse == LapseRerun {
		g.OnLapse = onceward.Rerun
	}
	g.Lease, g.Wait, g.HandlerLimit, g.MaxReply = c.Lease, c.Wait, c.Timeout, int(c.MaxReply)
	if c.Wait == 0 {
		g.Wait = onceward.NoWait
	}
}

// with is c for the requests of a route.
func (c Config) with(r Route) Config {
	set(&c.Key, r.Key)
	set(&c.OnLapse, r.OnLapse)
	set(&c.Lease, r.Lease)
	set(&c.Wait, r.Wait)
	set(&c.Timeout, r.Timeout)
	set(&c.MaxBody, r.MaxBody)
	set(&c.MaxReply, r.MaxReply)
	return c
}

func set[T any](at, to *T) {
	if to != nil {
		*at = *to
	}
}

// statuses is the route's own word on what a status means. Where the upstream alone checks the password, a 403 may be about a wrong one: it must not
// become the reply to whose name was used.
func (r Route) statuses(scope string) map[int]onceward.Ending {
	out := make(map[int]onceward.Ending)
	if scope == scopeBasic {
		out[http.StatusForbidden] = onceward.EndFree
	}
	for ending, statuses := range map[onceward.Ending][]int{onceward.EndSave: r.Save, onceward.EndFree: r.Free, onceward.EndDoubt: r.Doubt} {
		for _, s := range statuses {
			out[s] = ending
		}
	}
	return out
}

// find is the track of a request.
func (r *routing) find(req *http.Request) *track {
	if i := r.matcher.find(req); i >= 0 {
		return r.tracks[i]
	}
	return r.rest
}

// guards reports whether a request goes through the middleware, be it to be refused for want of a key.
func (p *track) guards(r *http.Request) bool {
	if p.key == KeyOff || !slices.Contains(p.methods, r.Method) {
		return false
	}
	_, keyed := r.Header[oncehttp.HeaderKey]
	return keyed || p.key == KeyRequired
}

// describe says for --check what holds.
func (p *track) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.name)
	methods := p.methods
	if m := methodOf(p.name); m != "" {
		methods = slices.DeleteFunc(slices.Clone(methods), func(guarded string) bool { return guarded != m })
	}
	switch {
	case p.key == KeyOff || len(methods) == 0: // of no effect: HTTP itself says that the method changes nothing
		b.WriteString("  Passes untouched: nothing is promised.\n")
		return b.String()
	case p.key == KeyOptional:
		fmt.Fprintf(&b, "  %s with a key; without one they pass untouched, and nothing is promised.\n", strings.Join(methods, ", "))
	default:
		fmt.Fprintf(&b, "  %s; without a key they are refused.\n", strings.Join(methods, ", "))
	}
	for line := range strings.Lines(p.guard.Guarantee().String()) {
		b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
	}
	if p.drain < p.timeout {
		fmt.Fprintf(&b, "    - drain is %v and timeout %v: what takes longer than drain when the process ends is in doubt.\n", p.drain, p.timeout)
	}
	return b.String()
}
