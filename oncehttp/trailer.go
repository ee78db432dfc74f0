package oncehttp

import (
	"net/http"
	"slices"
	"strings"
)

// trailersOf returns what a finished handler sends after the body: what it announced before it, and what has net/http's prefix. What frames
// a message or is the protocol's own is no trailer (RFC 9110 §6.5.1).
func trailersOf(h, fixed http.Header) http.Header {
	var trailer http.Header
	add := func(name string, values []string) {
		if trailer == nil {
			trailer = make(http.Header)
		}
		trailer[name] = slices.Clone(values)
	}
	for _, name := range announcedTrailers(fixed) {
		if values := h.Values(name); len(values) > 0 {
			add(name, values)
		}
	}
	for name, values := range h {
		bare, late := strings.CutPrefix(name, http.TrailerPrefix)
		bare = http.CanonicalHeaderKey(bare)
		if late && !slices.Contains(framing, bare) {
			add(bare, values)
		}
	}
	return trailer
}

// announcedTrailers reads the Trailer header (RFC 9110 §6.6.2), each name once.
func announcedTrailers(h http.Header) []string {
	var names []string
	for _, v := range h.Values("Trailer") {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if name != "" && !slices.Contains(framing, name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
