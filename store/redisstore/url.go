package redisstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Open opens a store by its URL:
//
//	redis://[user:password@]host[:6379][/database]
//	rediss://…                                         the same over TLS
//	redis+cluster://[user:password@]host:port,host:port
//	redis+sentinel://[user:password@]host[:26379],host/master-set
//
// What stands behind a question mark goes before the Config: prefix, shards, timeout, allow-lossy-failover=true, wait-replicas; tls=true for the last two kinds; ca, a file
// with the certificates to trust; database; sentinel-user and sentinel-password. An error never shows a password.
func Open(ctx context.Context, address string, c Config) (*Store, error) {
	o, c, err := parseURL(address, c)
	if err != nil {
		return nil, fmt.Errorf("redisstore: the URL: %w", err)
	}
	return New(ctx, o, c)
}

func parseURL(address string, c Config) (o rueidis.ClientOption, _ Config, err error) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return o, c, errors.New("it has no scheme: redis, rediss, redis+cluster or redis+sentinel")
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 { // net/url does not read several hosts
		if o.Username, o.Password, err = credentials(hosts[:i]); err != nil {
			return o, c, err
		}
		hosts = hosts[i+1:]
	}
	port := "6379"
	secure := false
	switch scheme {
	case "redis", "rediss":
		secure = scheme == "rediss"
		o.ForceSingleClient = true
		if err := database(&o, path); err != nil {
			return o, c, err
		}
	case "redis+cluster":
	case "redis+sentinel":
		port = "26379"
		if path == "" {
			return o, c, errors.New("the name of the master set is missing: redis+sentinel://host/name")
		}
		o.Sentinel.MasterSet = path
	default:
		return o, c, fmt.Errorf("the scheme is %q: it must be redis, rediss, redis+cluster or redis+sentinel", scheme)
	}
	for _, host := range strings.Split(hosts, ",") {
		if host == "" {
			return o, c, errors.New("a host is missing")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		o.InitAddress = append(o.InitAddress, host)
	}
	if o.ForceSingleClient && len(o.InitAddress) > 1 {
		return o, c, errors.New("there are several hosts: use redis+cluster or redis+sentinel")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return o, c, errors.New("what stands behind the question mark cannot be read")
	}
	for name := range values {
		if err := parameter(&o, &c, &secure, name, values.Get(name)); err != nil {
			return o, c, fmt.Errorf("%s: %w", name, err)
		}
	}
	return o, c, security(&o, secure, values.Get("ca"))
}

func credentials(text string) (user, password string, err error) {
	user, password, two := strings.Cut(text, ":")
	if !two { // redis://password@host is not what other tools read
		return "", "", errors.New("there is a user without a password: write user:password@, or :password@ for the default user")
	}
	if user, err = url.PathUnescape(user); err == nil {
		password, err = url.PathUnescape(password)
	}
	if err != nil {
		return "", "", errors.New("user or password cannot be read: escape their special characters with %")
	}
	return user, password, nil
}

func database(o *rueidis.ClientOption, text string) (err error) {
	if text == "" {
		return nil
	}
	if o.SelectDB, err = strconv.Atoi(text); err != nil || o.SelectDB < 0 {
		return fmt.Errorf("the database is %q: it must be a number", text)
	}
	return nil
}

func parameter(o *rueidis.ClientOption, c *Config, secure *bool, name, value string) (err error) {
	switch name {
	case "prefix":
		c.Prefix = value
	case "shards":
		c.Shards, err = strconv.Atoi(value)
	case "timeout":
		c.Timeout, err = time.ParseDuration(value)
	case "allow-lossy-failover":
		c.AllowLossyFailover, err = strconv.ParseBool(value)
	case "wait-replicas":
		c.WaitReplicas, err = strconv.Atoi(value)
	case "tls":
		var on bool
		on, err = strconv.ParseBool(value)
		*secure = *secure || on
	case "database":
		err = database(o, value)
	case "sentinel-user":
		o.Sentinel.Username = value
	case "sentinel-password":
		o.Sentinel.Password = value
	case "ca":
	default:
		return errors.New("it is not known")
	}
	if err != nil && name != "database" {
		return fmt.Errorf("it is %q, which cannot be read", value)
	}
	return err
}

func security(o *rueidis.ClientOption, secure bool, ca string) error {
	if !secure {
		if ca != "" {
			return errors.New("ca: it goes with rediss, or with tls=true")
		}
		return nil
	}
	trusted := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return fmt.Errorf("ca: %w", err)
		}
		trusted.RootCAs = x509.NewCertPool()
		if !trusted.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("ca: %s has no certificates", ca)
		}
	}
	host, _, _ := net.SplitHostPort(o.InitAddress[0])
	if o.ForceSingleClient {
		trusted.ServerName = host
	}
	o.TLSConfig = trusted
	if o.Sentinel.MasterSet != "" {
		o.Sentinel.TLSConfig = trusted
	}
	return nil
}
