package oncehttp

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"time"

	"github.com/onceward/onceward"
	"github.com/onceward/onceward/retry"
)

// ClientConfig configures a [Client]. Fields at zero take their defaults.
type ClientConfig struct {
	// Transport carries every attempt; default: a copy of http.DefaultTransport with more idle connections and shorter timeouts for
	// connecting. It must not send a request again by itself; an *http.Transport does not, the way it is used here.
	Transport http.RoundTripper

	Policy   retry.Policy    // how often and when to send again
	Budget   *retry.Budget   // clients that are given the same one share it, host by host; default: one of its own
	Keys     onceward.Minter // default onceward.TypeID
	Window   time.Duration   // how long servers are assumed to remember a key until they say otherwise; default 24 h. A policy that goes on longer is refused
	MaxBody  int64           // bytes of a request's body; default 8 MiB
	MaxReply int64           // bytes of a reply's body, decompressed; default 8 MiB
	Secrets  []string        // further headers that are left out when an operation is saved
	Observer retry.Observer  // is told every attempt and every operation given up, as by retry.LogObserver; default: nobody is told
	Clock    retry.Clock     // default: the real one
	Rand     func() float64  // in [0, 1), for jitter; default math/rand/v2.Float64

	// Unkeyed mints no keys: for servers that would not know what to do with one. A request has a key only if its caller gave it one. Without,
	// a request other than GET and HEAD is sent again only with proof that it was not sent, and cannot be saved. Default: false.
	Unkeyed bool

	// Authorize is called with every wire request just before it is sent, to add credentials or a signature. It may change headers
	// only, and not those of the protocol. An error ends the operation without that attempt. Default: none.
	Authorize func(*http.Request) error
}

// Defaults of a ClientConfig, in bytes.
const (
	DefaultMaxReply       = 8 << 20
	DefaultMaxRequestBody = 8 << 20
)

// alwaysSecret are the headers that no saved operation holds (RFC 9110 §11.6.2, §11.7.2, RFC 6265 §5.4).
var alwaysSecret = []string{"Authorization", "Proxy-Authorization", "Cookie"}

func (c ClientConfig) withDefaults() ClientConfig {
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	c.Clock = c.Clock.WithDefaults()
	if c.Keys == nil {
		c.Keys = onceward.TypeID{Clock: c.Clock.Now}
	}
	if c.MaxBody == 0 {
		c.MaxBody = DefaultMaxRequestBody
	}
	if c.MaxReply == 0 {
		c.MaxReply = DefaultMaxReply
	}
	names := alwaysSecret[:len(alwaysSecret):len(alwaysSecret)]
	for _, name := range c.Secrets {
		names = append(names, textproto.CanonicalMIMEHeaderKey(name))
	}
	c.Secrets = names
	return c
}

func (c ClientConfig) validate() error {
	var faults []error
	if c.MaxBody < 0 {
		faults = append(faults, fmt.Errorf("oncehttp: ClientConfig.MaxBody is %d; use more than 0 bytes", c.MaxBody))
	}
	if c.MaxReply < 0 {
		faults = append(faults, fmt.Errorf("oncehttp: ClientConfig.MaxReply is %d; use more than 0 bytes", c.MaxReply))
	}
	for i, name := range c.Secrets {
		if name == "" || name == HeaderKey {
			faults = append(faults, fmt.Errorf("oncehttp: ClientConfig.Secrets[%d] is %q; use the name of a header other than %s", i-len(alwaysSecret), name, HeaderKey))
		}
	}
	return errors.Join(faults...)
}

// newTransport has timeouts for connecting that are shorter than an attempt, so that a host that does not answer is proof that nothing was sent.
func newTransport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, ExpectContinueTimeout: time.Second}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		t = standard.Clone()
	}
	t.DialContext = (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 3 * time.Second
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 512, 64
	t.IdleConnTimeout = 90 * time.Second
	t.MaxResponseHeaderBytes = 1 << 20
	return t
}
