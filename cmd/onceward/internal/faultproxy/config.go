package faultproxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onceward/onceward/faults"
)

// Defaults and bounds of a [Config].
const (
	DefaultListen       = "127.0.0.1:9000"
	DefaultIdentity     = "Idempotency-Key"
	DefaultHangLimit    = time.Minute
	DefaultMaxExchanges = 1024
	DefaultGrace        = 10 * time.Second
	MaxWait             = time.Hour // of a delay or a hang: each holds a request in memory
	MaxMaxExchanges     = 65_536
)

// ErrConfig is in every error of [New] that is about its Config.
var ErrConfig = errors.New("these settings cannot work")

// Config says where the proxy stands and how it misbehaves. Errors name its fields by the flags of `onceward faults`.
// Upstream is required; the faults have the probability 0 if they are not given.
type Config struct {
	Listen   string // host:port; port 0 takes a free one. Default DefaultListen
	Upstream string // http://host:port or https://host:port, with a path or without
	KeepHost bool   // the upstream sees the Host that the client sent; default: its own

	LoseRequest, LoseReply, Cut, Reset, Hang, Duplicate float64

	Delay        string        // P:MIN-MAX, a probability and two times up to MaxWait; default: none
	HangLimit    time.Duration // at most MaxWait; default DefaultHangLimit
	Only         []string      // patterns of net/http; default: every request
	Identity     string        // header that names what a request is a copy of; default DefaultIdentity
	Seed         uint64        // every value is a seed, also zero
	MaxBody      int           // bytes; default faults.DefaultMaxBody
	MaxExchanges int           // under way at once; more are answered 503. Default DefaultMaxExchanges
	Grace        time.Duration // how long Run waits for what is under way when it is stopped; default DefaultGrace

	Notes io.Writer // for a person: where it listens, a warning, a summary; safe for concurrent use; default: nowhere
}

func (c Config) withDefaults() Config {
	c.Listen = or(c.Listen, DefaultListen)
	c.Identity = or(c.Identity, DefaultIdentity)
	c.HangLimit = or(c.HangLimit, DefaultHangLimit)
	c.MaxBody = or(c.MaxBody, faults.DefaultMaxBody)
	c.MaxExchanges = or(c.MaxExchanges, DefaultMaxExchanges)
	c.Grace = or(c.Grace, DefaultGrace)
	if c.Notes == nil {
		c.Notes = io.Discard
	}
	return c
}

func or[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

// validate names every fault at once.
func (c Config) validate() error {
	var wrong []error
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		add("--listen is %q: use host:port, like %s", c.Listen, DefaultListen)
	}
	if _, err := c.upstream(); err != nil {
		wrong = append(wrong, err)
	}
	wrong = append(wrong, c.validateFaults())
	if c.HangLimit < 0 || c.HangLimit > MaxWait {
		add("--hang-limit is %v: use more than 0, and at most %v", c.HangLimit, MaxWait)
	}
	if _, err := c.delay(); err != nil {
		wrong = append(wrong, err)
	}
	for _, pattern := range c.Only {
		if _, err := faults.New(http.NotFoundHandler(), faults.Config{Only: []string{pattern}}); err != nil {
			add("--only %q is refused: %w", pattern, err)
		}
	}
	if !isToken(c.Identity) {
		add("--identity is %q: use the name of a header, like X-Request-Id", c.Identity)
	}
	if c.MaxBody < 0 || c.MaxBody > faults.LargestMaxBody {
		add("--max-body is %d: use 1 to %d bytes", c.MaxBody, faults.LargestMaxBody)
	}
	if c.MaxExchanges < 1 || c.MaxExchanges > MaxMaxExchanges {
		add("--max-exchanges is %d: use 1 to %d", c.MaxExchanges, MaxMaxExchanges)
	}
	if c.Grace < 0 {
		add("--grace is %v: use more than 0", c.Grace)
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("%w:\n%w", ErrConfig, err)
	}
	return nil
}

// upstream reads the URL of the upstream.
func (c Config) upstream() (*url.URL, error) {
	const rule = "use http://host:port or https://host:port"
	if c.Upstream == "" {
		return nil, fmt.Errorf("--upstream is missing: %s, of the server that requests are passed on to", rule)
	}
	u, err := url.Parse(c.Upstream)
	switch {
	case err != nil: // url.Parse's error repeats the text, which may hold a password
		return nil, fmt.Errorf("--upstream is no URL: %s", rule)
	case u.User != nil:
		return nil, fmt.Errorf("--upstream holds a user or a password: %s, and let the client authenticate", rule)
	case (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return nil, fmt.Errorf("--upstream is %q: %s", c.Upstream, rule)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("--upstream is %q: %s, without a query or a fragment", c.Upstream, rule)
	}
	return u, nil
}

// isToken says whether s can name a header (RFC 9110 §5.6.2).
func isToken(s string) bool {
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
