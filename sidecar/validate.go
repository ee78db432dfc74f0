package sidecar

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/oncehttp"
)

// Validate names every fault at once. Files are looked at when the proxy is made.
func (c Config) Validate() error {
	var f faults
	_, err := c.upstream()
	f.add(err)
	f.require(c.Listen != "", "listen is empty: use host:port")
	f.add(c.validateAdmin())
	f.require((c.TLSCert == "") == (c.TLSKey == ""), "tls-cert and tls-key go together")
	f.require(c.ClientCA == "" || c.TLSCert != "", "client-ca needs tls-cert and tls-key")
	f.require(c.Service != "", "service is empty: name the protected service")
	f.add(c.validateScope())
	for _, p := range c.TrustedPeers {
		if _, err := parsePeer(p); err != nil {
			f.add(err)
		}
	}
	f.require(c.Key == KeyRequired || c.Key == KeyOptional, "key is %q: use required or optional", c.Key)
	f.require(c.OnLapse == LapseUnknown || c.OnLapse == LapseRerun, "on-lapse is %q: use unknown or rerun", c.OnLapse)
	f.require(c.Wait >= 0, "wait is %v: it must not be negative", c.Wait)
	f.require(c.StreamDrain >= 0, "stream-drain is %v: it must not be negative", c.StreamDrain)
	for name, d := range map[string]time.Duration{
		"window": c.Window, "lease": c.Lease, "timeout": c.Timeout, "header-timeout": c.HeaderTimeout, "body-timeout": c.BodyTimeout,
		"dial-timeout": c.DialTimeout, "upstream-idle": c.UpstreamIdle, "drain": c.Drain,
	} {
		f.require(d > 0, "%s is %v: it must be positive", name, d)
	}
	for name, n := range map[string]int64{"max-body": int64(c.MaxBody), "max-reply": int64(c.MaxReply), "max-header": int64(c.MaxHeader), "max-in-flight": int64(c.MaxInFlight)} {
		f.require(n > 0, "%s is %d: it must be positive", name, n)
	}
	f.require(c.MaxReply <= 1<<31-1, "max-reply is %v: it must be below 2GiB", c.MaxReply)
	f.require(ownHeader(c.ChildKey) || c.ChildKey == "", "child-key is %q: that is no name of a header, or one with a meaning of its own", c.ChildKey)
	f.require(slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel), "log-level is %q: use debug, info, warn or error", c.LogLevel)
	f.require(c.LogFormat == "text" || c.LogFormat == "json", "log-format is %q: use text or json", c.LogFormat)
	_, err = newMatcher(c.Routes)
	f.add(err)
	for _, r := range c.Routes {
		f.add(r.validate())
	}
	return f.join()
}

// faults collects what is wrong.
type faults []error

func (f *faults) require(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

func (f *faults) add(err error) {
	if err != nil {
		*f = append(*f, err)
	}
}

func (f *faults) join() error {
	if len(*f) == 0 {
		return nil
	}
	slices.SortFunc(*f, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return &onceward.Error{Op: "proxy", Err: onceward.ErrConfig, Cause: errors.Join(*f...)}
}

// upstream reads the URL. What it cannot read it does not repeat: there may be a password in it.
func (c Config) upstream() (*url.URL, error) {
	if c.Upstream == "" {
		return nil, errors.New("upstream is missing: the URL of the service to protect, like http://127.0.0.1:8080")
	}
	u, err := url.Parse(c.Upstream)
	switch {
	case err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "h2c"}, u.Scheme):
		return nil, errors.New("upstream is not understood: use http://host:port, https://host:port or h2c://host:port")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("upstream has a user, a query or a fragment: a host and at most a path")
	}
	return u, nil
}

// validateAdmin keeps the admin API off addresses that strangers reach.
func (c Config) validateAdmin() error {
	if path, ok := strings.CutPrefix(c.Admin, "unix:"); ok {
		if path == "" {
			return errors.New("admin is unix: without a path")
		}
		return nil
	}
	host, _, err := net.SplitHostPort(c.Admin)
	if err != nil {
		return fmt.Errorf("admin is %q: use unix:PATH or a loopback address like 127.0.0.1:9091", c.Admin)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("admin is %q, which other machines may reach: use a loopback address or unix:PATH", c.Admin)
	}
	return nil
}

func (r Route) validate() error {
	var f faults
	bad := func(ok bool, format string, args ...any) { f.require(ok, "route "+r.Match+": "+format, args...) }
	if r.Key != nil {
		bad(slices.Contains([]string{KeyRequired, KeyOptional, KeyOff}, *r.Key), "key is %q: use required, optional or off", *r.Key)
	}
	if r.OnLapse != nil {
		bad(*r.OnLapse == LapseUnknown || *r.OnLapse == LapseRerun, "on-lapse is %q: use unknown or rerun", *r.OnLapse)
	}
	for name, d := range map[string]*time.Duration{"lease": r.Lease, "timeout": r.Timeout} {
		bad(d == nil || *d > 0, "%s must be positive", name)
	}
	bad(r.Wait == nil || *r.Wait >= 0, "wait must not be negative")
	for name, n := range map[string]*Bytes{"max-body": r.MaxBody, "max-reply": r.MaxReply} {
		bad(n == nil || *n > 0 && *n <= 1<<31-1, "%s must be positive and below 2GiB", name)
	}
	seen := map[int]bool{}
	for _, status := range slices.Concat(r.Save, r.Free, r.Doubt) {
		bad(status >= 200 && status <= 599, "%d is no final status: use 200 to 599", status)
		bad(!seen[status], "status %d stands twice in save, free and doubt", status)
		seen[status] = true
	}
	for _, name := range slices.Concat(r.DropHeaders, r.KeepHeaders) {
		bad(validHeader(name), "%q is no name of a header", name)
	}
	return errors.Join(f...)
}

// ownHeader reports whether a header of this name may mean what a setting wants it to mean.
func ownHeader(name string) bool {
	taken := []string{"Host", "Connection", "Content-Length", "Content-Type", "Expect", "Te", "Trailer", "Transfer-Encoding", "Upgrade", oncehttp.HeaderKey}
	return validHeader(name) && !slices.Contains(taken, http.CanonicalHeaderKey(name))
}

// validHeader is RFC 9110 §5.6.2.
func validHeader(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", c))
	})
}
