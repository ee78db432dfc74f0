package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Script is what a request for an effect asks of the handler, by its query.
type Script struct {
	Op       string      // op: the operation's name in the ledger
	Status   int         // status: of the reply; default 201
	Size     int         // size: bytes of the reply's body; default: one receipt
	Header   [][2]string // header: "Name: value", repeatable, in order
	Trailer  [][2]string // trailer: "Name: value", repeatable
	Hold     string      // hold: a gate at which the handler waits after its effect, before it replies
	Pause    string      // pause: with flush, a gate after the first part of the reply
	Flush    bool        // flush=1: the reply goes out in three parts, each flushed
	Copy     bool        // copy=1: the status is written, then the body is copied from a reader
	Short    int         // short: the reply declares so many bytes more than it has
	Panic    bool        // panic=1: the handler panics after its effect
	NoEffect bool        // noeffect=1: the run has no effect
}

// ParseScript reads a query; what is missing or malformed is the default.
func ParseScript(q url.Values) Script {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(q.Get(name)); err == nil && n >= 0 {
			return n
		}
		return otherwise
	}
	return Script{
		Op: q.Get("op"), Status: number("status", 201), Size: number("size", 0), Short: number("short", 0),
		Header: fields(q["header"]), Trailer: fields(q["trailer"]),
		Hold: q.Get("hold"), Pause: q.Get("pause"),
		Flush: q.Get("flush") == "1", Copy: q.Get("copy") == "1", Panic: q.Get("panic") == "1", NoEffect: q.Get("noeffect") == "1",
	}
}

// Values is the query that ParseScript reads.
func (s Script) Values() url.Values {
	q := url.Values{"op": {s.Op}}
	set := func(name, value string, differs bool) {
		if differs {
			q.Set(name, value)
		}
	}
	set("status", strconv.Itoa(s.Status), s.Status != 0)
	set("size", strconv.Itoa(s.Size), s.Size != 0)
	set("short", strconv.Itoa(s.Short), s.Short != 0)
	set("hold", s.Hold, s.Hold != "")
	set("pause", s.Pause, s.Pause != "")
	set("flush", "1", s.Flush)
	set("copy", "1", s.Copy)
	set("panic", "1", s.Panic)
	set("noeffect", "1", s.NoEffect)
	for _, f := range s.Header {
		q.Add("header", f[0]+": "+f[1])
	}
	for _, f := range s.Trailer {
		q.Add("trailer", f[0]+": "+f[1])
	}
	return q
}

// TrailerNames are the names of the trailers, each once.
func (s Script) TrailerNames() (names []string) {
	for _, f := range s.Trailer {
		if !slices.Contains(names, f[0]) {
			names = append(names, f[0])
		}
	}
	return names
}

func fields(lines []string) (out [][2]string) {
	for _, line := range lines {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out = append(out, [2]string{name, strings.TrimSpace(value)})
		}
	}
	return out
}

// Receipt is the handler's reply. It says whose reply it is, so that one that reached somebody else shows.
type Receipt struct {
	Op        string `json:"op"`
	Run       int    `json:"run"`
	Principal string `json:"principal"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	Query     string `json:"query"`
	Sum       string `json:"sum"` // SHA-256 of the request's body, in hex
}

// Sum is how a receipt names a body.
func Sum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Body is the reply's body: the receipt as one line of JSON, repeated and cut to the size that the script asks for.
func (s Script) Body(r Receipt) []byte {
	line, _ := json.Marshal(r) // strings and a number: cannot fail
	line = append(line, '\n')
	if s.Size == 0 {
		return line
	}
	return []byte(strings.Repeat(string(line), s.Size/len(line)+1)[:s.Size])
}

// Parts cuts a body into the three parts of a streamed reply.
func Parts(body []byte) [][]byte {
	third := len(body) / 3
	return [][]byte{body[:third], body[third : 2*third], body[2*third:]}
}
