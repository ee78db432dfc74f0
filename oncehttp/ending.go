package oncehttp

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/onceward/onceward/retry"
)

// problemEnds says which end of an attempt each problem is, by its name; a test holds it against the table of problems.
var problemEnds = map[string]retry.End{
	"key-missing":         retry.EndKeyMissing,
	"key-invalid":         retry.EndKeyInvalid,
	"key-from-the-future": retry.EndKeyFromFuture,
	"horizon-too-long":    retry.EndHorizonTooLong,
	"scope-missing":       retry.EndScopeMissing,
	"body-too-large":      retry.EndBodyTooLarge,
	"body-unreadable":     retry.EndBodyUnreadable,
	"key-reused":          retry.EndKeyReused,
	"in-progress":         retry.EndInProgress,
	"outcome-unknown":     retry.EndOutcomeUnknown,
	"not-executed":        retry.EndNotExecuted,
	"reply-not-kept":      retry.EndReplyNotKept,
	"key-expired":         retry.EndKeyExpired,
	"reply-not-saved":     retry.EndReplyNotSaved,
	"store-unavailable":   retry.EndStoreUnavailable,
	"internal":            retry.EndInternal,
}

// replyEnding says what a whole reply means. The handler's mark comes first: a handler may itself have saved, as its reply, another server's problem.
// A problem comes before the mark of a replay, which an operator's decision carries too.
func replyEnding(resp *http.Response, body []byte) retry.Ending {
	var e retry.Ending
	var problem *Problem
	var name string
	switch outcome := outcomeOf(resp); {
	case outcome == OutcomeSaved && replayed(resp.Header):
		e.End = retry.EndReplayed
	case outcome == OutcomeSaved:
		e.End = retry.EndSaved
	case outcome == OutcomeFreed:
		e.End = freedEnd(resp.StatusCode)
	case outcome == OutcomeDoubted:
		e.End = doubtedEnd(resp.StatusCode)
	default:
		byStatus := unmarkedEnd(resp.StatusCode)
		e.End = byStatus
		if replayed(resp.Header) {
			e.End = retry.EndReplayed
		}
		body = plain(resp.Header, body)
		if p, n, ok := readProblem(resp.Header, body); ok {
			problem, name = &p, n
			e.End, e.SafeNewKey = problemEnd(name), p.SafeNewKey
		} else if (byStatus == retry.EndRefusal || byStatus == retry.EndFailure) && unreadableProblem(resp, body) {
			e.End = retry.EndProblemUnknown
		}
	}
	if e.End != retry.EndSaved && e.End != retry.EndReplayed && e.End != retry.EndSuccess {
		e.Err = &ReplyError{Status: resp.StatusCode, Problem: problem, name: name}
	}
	return e
}

// outcomeOf reads the mark: in the header, or in the trailer of a reply that had begun before the server knew.
func outcomeOf(resp *http.Response) string {
	if outcome := resp.Header.Get(HeaderOutcome); outcome != "" {
		return outcome
	}
	return resp.Trailer.Get(HeaderOutcome)
}

func replayed(h http.Header) bool { return strings.EqualFold(h.Get(HeaderReplayed), "true") }

func freedEnd(status int) retry.End {
	switch {
	case overload(status):
		return retry.EndFreedOverload
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500:
		return retry.EndFreedTransient
	}
	return retry.EndFreed
}

func doubtedEnd(status int) retry.End {
	if overload(status) {
		return retry.EndDoubtedOverload
	}
	return retry.EndDoubted
}

func overload(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// unmarkedEnd reads the status alone: another kind of server has answered, or something in front of one.
func unmarkedEnd(status int) retry.End {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return retry.EndUnauthorized
	case http.StatusTooEarly:
		return retry.EndTooEarly
	case http.StatusTooManyRequests:
		return retry.EndTooMany
	case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout:
		return retry.EndGateway
	case http.StatusServiceUnavailable:
		return retry.EndUnavailable
	}
	switch status / 100 {
	case 2:
		return retry.EndSuccess
	case 3:
		return retry.EndRedirect
	case 4:
		return retry.EndRefusal
	case 5:
		return retry.EndFailure
	}
	return retry.EndOddStatus
}

// tooLarge is the end of a reply over the limit, of which only the headers are known. A server of ours that streams has said neither
// "saved" nor anything else yet, however well its status looks.
func tooLarge(resp *http.Response) retry.End {
	outcome := resp.Header.Get(HeaderOutcome)
	ours := outcome != "" || resp.Header.Get(HeaderWindow) != ""
	if outcome == OutcomeSaved || outcome == "" && replayed(resp.Header) || !ours && unmarkedEnd(resp.StatusCode) == retry.EndSuccess {
		return retry.EndReplyTooLarge
	}
	return retry.EndReplyTooLargeOpen
}

// maxProblem bounds what a compressed problem may become, in bytes.
const maxProblem = 64 << 10

// plain undoes a compression that somebody outside of the server's middleware has applied, where the caller's own Accept-Encoding keeps net/http
// from doing so.
func plain(h http.Header, body []byte) []byte {
	if !strings.EqualFold(h.Get("Content-Encoding"), "gzip") {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	text, err := io.ReadAll(io.LimitReader(z, maxProblem))
	if err != nil {
		return body
	}
	return text
}

// unreadableProblem reports whether a problem came of which one cannot tell what it says: a HEAD has no body, an encoding may be unknown. It
// must not be taken for an answer of the handler.
func unreadableProblem(resp *http.Response, body []byte) bool {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && media == ProblemType && !json.Valid(body)
}

// readProblem reads a problem of this protocol off a reply. A member of another type than it should have counts as absent (RFC 9457 §3.1).
func readProblem(h http.Header, body []byte) (p Problem, name string, ok bool) {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || media != ProblemType {
		return Problem{}, "", false
	}
	var member *json.UnmarshalTypeError // the others have been read all the same
	if err := json.Unmarshal(body, &p); err != nil && !errors.As(err, &member) {
		return Problem{}, "", false
	}
	name, ok = strings.CutPrefix(p.Type, ProblemBase)
	if _, known := problemEnds[name]; ok && !known {
		name = "a problem that this build does not know" // a stranger's text is not for logs
		return p, name, true
	}
	return p, name, ok
}

func problemEnd(name string) retry.End {
	if end, ok := problemEnds[name]; ok {
		return end
	}
	return retry.EndProblemUnknown
}
