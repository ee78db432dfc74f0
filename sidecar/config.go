package sidecar

import (
	"time"

	"github.com/onceward/onceward"
)

// Config is everything that can be set. Each field with a yaml tag is a setting: that name is a key of the file, a flag of the command and, in
// capitals behind ONCEWARD_PROXY_, a variable of the environment. The help tag is its description in `--help` and in docs/proxy.md.
//
// Start from [Default].
type Config struct {
	Upstream    string `yaml:"upstream" arg:"URL" help:"the service to protect: http://, https:// or h2c:// (HTTP/2 without TLS)"`
	RewriteHost bool   `yaml:"rewrite-host" help:"send the upstream its own host name instead of the one that the client asked for"`
	Listen      string `yaml:"listen" arg:"host:port" help:"where clients come in, HTTP/1.1 and HTTP/2, without TLS unless tls-cert is set"`
	TLSCert     string `yaml:"tls-cert" arg:"FILE" help:"certificate chain of the listener, PEM"`
	TLSKey      string `yaml:"tls-key" arg:"FILE" help:"its private key, PEM"`
	ClientCA    string `yaml:"client-ca" arg:"FILE" help:"certificates that sign clients' certificates, PEM; a client without one is turned away, unless allow-anonymous"`

	Admin      string `yaml:"admin" arg:"ADDRESS" help:"health, metrics and the admin API: unix:PATH, or host:port of a loopback address"`
	AdminToken string `yaml:"admin-token" arg:"FILE" help:"file with the token that opens the admin API on a host:port; without it the API is on a unix: address only"`

	Store   string        `yaml:"store" arg:"URL" help:"where the records are: pebble:DIR (a directory of this process), postgres://user@host/name, redis://user@host:6379 (or rediss:, redis+cluster:, redis+sentinel:), or memory: (forgets when the process ends)"`
	Data    string        `yaml:"data" arg:"DIR" help:"short for store pebble:DIR"`
	Service string        `yaml:"service" arg:"NAME" help:"name of the protected service in the store; services that share a store need different ones"`
	Window  time.Duration `yaml:"window" help:"how long a key is remembered after its completion"`

	Scope          string   `yaml:"scope" arg:"KIND" help:"who calls, so that nobody gets another's reply: header:NAME, jwt, basic, cert or global; required"`
	TrustedPeers   []string `yaml:"trusted-peers" arg:"CIDR,…" help:"addresses of gateways: only they may set the scope's header and the forwarding headers"`
	ScopeIsStable  bool     `yaml:"scope-is-stable" help:"a credential as the scope (header:Authorization) never changes: a refreshed one would be a new caller, and a retry a second run"`
	AllowAnonymous bool     `yaml:"allow-anonymous" help:"requests that do not say who calls share one scope of their own, instead of being refused"`
	JWTKeys        string   `yaml:"jwt-keys" arg:"URL|FILE" help:"keys that sign tokens: a JWKS by https:// or in a file, or a public key in PEM"`
	JWTIssuer      string   `yaml:"jwt-issuer" arg:"TEXT" help:"what iss must be"`
	JWTAudience    string   `yaml:"jwt-audience" arg:"TEXT" help:"what aud must have"`

	Key      string        `yaml:"key" arg:"required|optional" help:"whether a POST or PATCH without Idempotency-Key is refused or passes unprotected"`
	OnLapse  string        `yaml:"on-lapse" arg:"unknown|rerun" help:"when nobody can tell whether the upstream did it: hold the key until somebody resolves it, or run it again"`
	Lease    time.Duration `yaml:"lease" help:"how long a crashed proxy's operations count as running; renewed while they run"`
	Wait     time.Duration `yaml:"wait" help:"how long a copy waits for the running one before 409; 0: not at all"`
	Timeout  time.Duration `yaml:"timeout" help:"how long the upstream may take over a keyed request; then its outcome is in doubt"`
	MaxBody  Bytes         `yaml:"max-body" help:"longest body of a keyed request; it is read whole before anything is done"`
	MaxReply Bytes         `yaml:"max-reply" help:"longest reply that is kept; a longer one is passed on once, and the operation never runs again"`

	CloseDelimited bool   `yaml:"close-delimited" help:"keep replies that end only with the connection (HTTP/1.0, no length): a crash in the middle looks like their end"`
	ChildKey       string `yaml:"child-key" arg:"HEADER" help:"header of a keyed request to the upstream with a key for its own call to another service; empty: none"`

	MaxInFlight   int           `yaml:"max-in-flight" help:"keyed requests at once; more get 503"`
	MaxHeader     Bytes         `yaml:"max-header" help:"longest header of a request, and of an upstream's reply"`
	HeaderTimeout time.Duration `yaml:"header-timeout" help:"how long a client may take over its header"`
	BodyTimeout   time.Duration `yaml:"body-timeout" help:"how long a client may take over the body of a keyed request"`
	DialTimeout   time.Duration `yaml:"dial-timeout" help:"how long connecting to the upstream may take"`
	UpstreamIdle  time.Duration `yaml:"upstream-idle" help:"how long an unused connection to the upstream is kept; less than the upstream's own limit, or requests meet closing connections"`
	Drain         time.Duration `yaml:"drain" help:"how long requests may take to end after SIGTERM"`
	StreamDrain   time.Duration `yaml:"stream-drain" help:"how long replies without a length, such as server-sent events, may go on after SIGTERM, unless they are to a keyed request"`

	LogLevel  string `yaml:"log-level" arg:"LEVEL" help:"debug (each keyed request), info, warn or error"`
	LogFormat string `yaml:"log-format" arg:"text|json" help:"format of the log on stderr"`

	Routes []Route `yaml:"routes" arg:"YAML" help:"what holds for some requests only; as a flag repeatable, each a mapping like {match: POST /jobs, on-lapse: rerun}"`
}

// Route is what holds for the requests that Match names. A field that is nil is as in [Config].
type Route struct {
	Match       string         `yaml:"match" help:"which requests: a path, for one method or for all, as in POST /orders/{id} or /jobs/ (the syntax of Go's http.ServeMux; the most specific route counts)"`
	Key         *string        `yaml:"key" help:"as above, or off: these requests pass unprotected whatever they carry"`
	OnLapse     *string        `yaml:"on-lapse" help:"as above"`
	Lease       *time.Duration `yaml:"lease" help:"as above"`
	Wait        *time.Duration `yaml:"wait" help:"as above"`
	Timeout     *time.Duration `yaml:"timeout" help:"as above"`
	MaxBody     *Bytes         `yaml:"max-body" help:"as above"`
	MaxReply    *Bytes         `yaml:"max-reply" help:"as above"`
	Save        []int          `yaml:"save" help:"statuses that are the operation's reply for ever"`
	Free        []int          `yaml:"free" help:"statuses that mean that certainly nothing was done: the key is free"`
	Doubt       []int          `yaml:"doubt" help:"statuses that leave open whether something was done"`
	DropHeaders []string       `yaml:"drop-headers" help:"headers of a reply that are not kept for replays"`
	KeepHeaders []string       `yaml:"keep-headers" help:"headers that are kept although they are not by default, such as Set-Cookie"`
}

// Values of settings.
const (
	KeyRequired = "required"
	KeyOptional = "optional"
	KeyOff      = "off" // of a route only

	LapseUnknown = "unknown"
	LapseRerun   = "rerun"
)

// DefaultMaxReply is the default of [Config].MaxReply. A store that keeps less lowers it.
const DefaultMaxReply Bytes = 64 << 20

// Default is the configuration to start from. Upstream and Scope are missing in it.
func Default() Config {
	return Config{
		Listen:        "127.0.0.1:9090",
		Admin:         "127.0.0.1:9091",
		Store:         "pebble:./onceward-data",
		Service:       "proxy",
		Window:        onceward.DefaultWindow,
		TrustedPeers:  []string{"127.0.0.0/8", "::1/128"},
		Key:           KeyRequired,
		OnLapse:       LapseUnknown,
		Lease:         onceward.DefaultLease,
		Wait:          onceward.DefaultWait,
		Timeout:       onceward.DefaultHandlerLimit,
		MaxBody:       64 << 20,
		MaxReply:      DefaultMaxReply,
		ChildKey:      "Onceward-Child-Key",
		MaxInFlight:   1024,
		MaxHeader:     64 << 10,
		HeaderTimeout: 10 * time.Second,
		BodyTimeout:   time.Minute,
		DialTimeout:   5 * time.Second,
		UpstreamIdle:  time.Second,      // gunicorn closes after two
		Drain:         70 * time.Second, // Timeout and what saving takes
		StreamDrain:   10 * time.Second,
		LogLevel:      "info",
		LogFormat:     "text",
	}
}
