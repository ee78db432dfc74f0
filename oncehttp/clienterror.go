package oncehttp

import (
	"errors"
	"fmt"
	"net/http"
)

// Reasons for which nothing is sent.
var (
	errNoOperation    = errors.New("oncehttp: no operation")
	errBodyLength     = errors.New("oncehttp: the request's body is not as long as its ContentLength says")
	errRequestBody    = errors.New("oncehttp: the request's body could not be read")
	errRequestTrailer = errors.New("oncehttp: trailers of a request cannot be kept")
	errMethod         = errors.New("oncehttp: the request's method is not a token, such as POST") // RFC 9110 §9.1
	errURL            = errors.New("oncehttp: the request's URL is not of a host by http or https")
	errNoKeyToSave    = errors.New("oncehttp: an operation without a key cannot be sent again, so it cannot be saved")
	errOperationText  = errors.New("oncehttp: this is not a saved operation")
)

// ReplyError is a reply that is not the operation's answer. A [retry.Error] wraps it.
type ReplyError struct {
	Status  int
	Problem *Problem // nil: the reply is no problem of this protocol
	name    string
}

// Error gives status and problem. The rest of the reply, which is not for logs, stands in Problem.
func (e *ReplyError) Error() string {
	if e.name != "" {
		return fmt.Sprintf("oncehttp: the server answered %d %s", e.Status, e.name)
	}
	return fmt.Sprintf("oncehttp: the server answered %d %s", e.Status, http.StatusText(e.Status))
}
