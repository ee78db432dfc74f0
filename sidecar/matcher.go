package sidecar

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// matcher finds the route of a request. [http.ServeMux] knows how patterns are written and which one is the most specific; its redirects
// are not wanted, because the path belongs to the upstream.
type matcher struct {
	mux    *http.ServeMux
	routes map[string]int // by pattern
}

func newMatcher(routes []Route) (matcher, error) {
	m := matcher{mux: http.NewServeMux(), routes: make(map[string]int)}
	var faults []error
	for i, r := range routes {
		if err := m.add(r.Match, i); err != nil {
			faults = append(faults, err)
		}
	}
	return m, errors.Join(faults...)
}

// registered is where in this file a pattern was registered, which tells nobody anything.
var registered = regexp.MustCompile(` \(registered at [^)]*\)`)

// add turns ServeMux's panics into errors.
func (m matcher) add(pattern string, i int) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("route %q: %s", pattern, registered.ReplaceAllString(fmt.Sprint(fault), ""))
		}
	}()
	m.mux.Handle(pattern, http.NotFoundHandler())
	m.routes[pattern] = i
	return nil
}

// find returns the number of the request's route, or -1. ServeMux looks at a path without "//" and ".." and tells its pattern also where it would
// redirect: a detour of this kind does not lead around a route.
func (m matcher) find(r *http.Request) int {
	if len(m.routes) == 0 {
		return -1
	}
	_, pattern := m.mux.Handler(r)
	if i, ok := m.routes[pattern]; ok {
		return i
	}
	return -1
}

// methodOf is the method that a pattern names, or "".
func methodOf(pattern string) string {
	if i := strings.IndexAny(pattern, " \t"); i >= 0 {
		return pattern[:i]
	}
	return ""
}
