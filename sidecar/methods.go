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

// ignored reports whether some servers do not look at the bodies of this method (RFC 9110 §9.3.1, §9.3.5). What they leave of one on a kept connection they would
// take for the next request.
func ignored(method string) bool { return safe(method) || method == http.MethodDelete }

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
