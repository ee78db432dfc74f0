package oncehttp

import (
	"net/http"

	"github.com/onceward/onceward"
)

// endingOf says what a handler's final status means for the record, in the absence of a route's own word. It is the one table of this
// question:
//
//	2xx, 3xx                     saved
//	401, 407, 425, 429           free: by their definitions nothing was applied (RFC 9110 §15.5.2, §15.5.8, RFC 8470 §5.2, RFC 6585 §4)
//	408, 502, 503, 504           doubt: http.TimeoutHandler answers 503 while the work goes on
//	other 4xx                    rejected: undone or never done, and remembered
//	other 5xx                    saved: the handler came to its end and says that it failed
//
// In a transaction, which a 5xx rolls back, Buffered is set, and 408 and every 5xx are free.
func endingOf(status int, own map[int]onceward.Ending, buffered bool) onceward.Ending {
	if e, ok := own[status]; ok {
		return e
	}
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusTooEarly, http.StatusTooManyRequests:
		return onceward.EndFree
	case http.StatusRequestTimeout:
		if buffered {
			return onceward.EndFree
		}
		return onceward.EndDoubt
	}
	switch {
	case status < 400:
		return onceward.EndSave
	case status < 500:
		return onceward.EndReject
	case buffered:
		return onceward.EndFree
	}
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return onceward.EndDoubt
	}
	return onceward.EndSave
}
