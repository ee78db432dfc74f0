package sidecar

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// peers are the addresses of gateways.
type peers []netip.Prefix

func parsePeers(texts []string) (peers, error) {
	var out peers
	for _, t := range texts {
		p, err := parsePeer(t)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// parsePeer reads 10.0.0.0/8 or one address.
func parsePeer(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		if ip, err := netip.ParseAddr(text); err == nil {
			return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
	}
	p, err := netip.ParsePrefix(text)
	if err == nil && p.Addr().Is4In6() && p.Bits() >= 96 { // peers are compared as IPv4
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("trusted-peers has %q: use an address or a block of them, like 10.0.0.0/8", text)
	}
	return p.Masked(), nil
}

// trust reports whether the request's connection comes from a gateway.
func (ps peers) trust(r *http.Request) bool {
	ip, ok := peerOf(r)
	if !ok {
		return false
	}
	for _, p := range ps {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// peerOf is the address at the other end of the connection.
func peerOf(r *http.Request) (netip.Addr, bool) {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap().WithZone(""), err == nil
}
