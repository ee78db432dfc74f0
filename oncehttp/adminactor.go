package oncehttp

import (
	"errors"
	"net/http"
	"strings"
)

// HeaderActor is the header in which `onceward keys` says who decides: the login name, or its --actor. It is a claim and no proof, and [Admin] does
// not read it: an authorize function may.
const HeaderActor = "Onceward-Actor"

var errNoActor = errors.New("the header " + HeaderActor + " is missing")

// ClaimedActor takes everybody's word for who they are: it is an authorize function of [Admin] for a Unix socket that only operators may open. Anywhere
// else it lets everybody in who can connect, under any name. On a port of the loopback that is every program of the machine, and, once a name of its
// own leads there, every web page in its browsers.
func ClaimedActor(r *http.Request) (actor string, err error) {
	values := r.Header.Values(HeaderActor)
	if len(values) != 1 || strings.TrimSpace(values[0]) == "" {
		return "", errNoActor
	}
	return values[0], nil
}
