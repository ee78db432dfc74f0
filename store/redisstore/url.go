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
//	redis://[user[:password]@]host[:6379][/database]
//	rediss://…                                         the same over TLS
//	redis+cluster://[user[:password]@]host:port,host:port
//	redis+sentinel://[user[:password]@]host[:26379],host/master-set
//
// The password of a user that has none in the URL is the first line of the file that password-file names, or what the environment has as REDISCLI_AUTH. What stands
// behind a question mark goes before the Config: prefix, shards, timeout, allow-lossy-failover=true, wait-replicas, max-reply in bytes; tls=true for the last two kinds; ca, a file
// with the certificates to trust; database; password-file; and sentinel-user, sentinel-password and sentinel-password-file. An error never shows a password, nor
// what it cannot read: that may be a part of one.
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
	if strings.Contains(path+query, "@") { // a password's slash or question mark passes for the end of the hosts, and its beginning for a port
		return o, c, errors.New("an @ stands behind a / or ?: " + escape)
	}
	user := false
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 { // net/url does not read several hosts
		if o.Username, o.Password, user, err = credentials(hosts[:i]); err != nil {
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
		return o, c, errors.New("the scheme must be redis, rediss, redis+cluster or redis+sentinel")
	}
	for _, host := range strings.Split(hosts, ",") {
		if host == "" {
			return o, c, errors.New("a host is missing")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		if _, number, _ := net.SplitHostPort(host); !isPort(number) {
			return o, c, errors.New("a port is no number: " + escape)
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
			return o, c, err
		}
	}
	if err := secrets(&o, user, values); err != nil {
		return o, c, err
	}
	return o, c, security(&o, secure, values.Get("ca"))
}

const escape = "write / : @ ? # % in a user or password as %2F %3A %40 %3F %23 %25, or use password-file"

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

func database(o *rueidis.ClientOption, text string) (err error) {
	if text == "" {
		return nil
	}
	if o.SelectDB, err = strconv.Atoi(text); err != nil || o.SelectDB < 0 {
		return errors.New("the database must be a number")
	}
	return nil
}

const parameters = "prefix, shards, timeout, allow-lossy-failover, wait-replicas, max-reply, tls, ca, database, password-file, sentinel-user, sentinel-password and sentinel-password-file"

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
	case "max-reply":
		c.MaxReply, err = strconv.Atoi(value)
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
	case "ca", "password-file", "sentinel-password-file":
	default:
		return errors.New("a parameter is not known: there are " + parameters)
	}
	if err != nil {
		return fmt.Errorf("the value of %s cannot be read", name)
	}
	return nil
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
