package adminapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
)

var errAddress = errors.New("use http://host:port/path, https://host/path, or unix:/path/to/socket, with :/path behind it if the API has one there")

// address is where an admin API is: the URL in front of its routes, and for a Unix socket its path.
type address struct {
	base   *url.URL
	socket string
}

// parseAddress never repeats the text in an error: it may hold a password.
func parseAddress(text string) (address, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		socket, route := strings.TrimPrefix(path, "//"), ""
		if i := strings.LastIndex(socket, ":/"); i >= 0 {
			socket, route = socket[:i], socket[i+1:]
		}
		if socket == "" {
			return address{}, errAddress
		}
		return address{base: &url.URL{Scheme: "http", Host: "onceward", Path: strings.TrimRight(route, "/")}, socket: socket}, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return address{}, errAddress
	case u.User != nil:
		return address{}, errors.New("it holds a user or a password, which everybody on the machine would see: use a token or a file of headers")
	case u.RawQuery != "" || u.Fragment != "":
		return address{}, errors.New("it has a query or a fragment: the routes of the API come behind its path")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return address{base: u}, nil
}

// transport makes no connection that outlives its request, so that nothing is sent again on another one.
func (a address) transport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	if a.socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", a.socket)
		}
	}
	return t
}
