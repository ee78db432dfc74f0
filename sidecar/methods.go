package sidecar

import (
	"net/http"
	"strings"
)

// safe is RFC 9110 §9.2.1.
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// alone reports whether nothing may follow a request on its connection to the upstream, because servers written by hand get its end wrong. Some do not look at the
// body of a GET or DELETE (RFC 9110 §9.3.1, §9.3.5), and take it for the next request; some send one with the reply to a HEAD, which would be the reply to
// the next request.
func alone(r *http.Request) bool {
	hasBody := r.Body != nil
	return r.Method == http.MethodHead || hasBody && (safe(r.Method) || r.Method == http.MethodDelete)
}

// refused says why requests of this method do not get through; "": they do.
//
// Over HTTP/2 a CONNECT has a body without an end of its own, and net/http would write that to an upstream of HTTP/1.1 as it is: to one that makes no tunnel
// of it, the next requests. A method's name is case-sensitive (RFC 9110 §9.1), but there are upstreams that read patch as PATCH: it would be carried out
// without a record. Browsers send it as it is written.
func refused(method string) string {
	switch upper := strings.ToUpper(method); {
	case method == http.MethodConnect:
		return "CONNECT makes a tunnel, and there is nothing behind this proxy but the service itself."
	case upper == method:
		return ""
	case upper == http.MethodPost, upper == http.MethodPatch, upper == http.MethodPut, upper == http.MethodDelete:
		return "There is no such method. It is written " + upper + "."
	}
	return ""
}
