package oncehttp

import (
	"net/http"
	"sync"

	"github.com/onceward/onceward"
)

// snapshotRoom is memory for the header of an ordinary reply, so that keeping it takes none of the heap: most replies have few fields.
type snapshotRoom struct {
	values [8]string
	mark   [1]string // of HeaderOutcome
	fields [8]onceward.Field
}

// headerMaps are maps that hold a header for the time of one request. No handler gets to see one.
var headerMaps = sync.Pool{New: func() any { return make(http.Header) }}

// snapshot copies h as it is now. The room serves one.
func (r *snapshotRoom) snapshot(h http.Header) http.Header {
	left := r.values[:]
	copied := headerMaps.Get().(http.Header)
	for name, values := range h {
		n := len(values)
		if n > len(left) {
			left = make([]string, max(n, len(r.values)))
		}
		copied[name] = left[:n:n]
		copy(left, values)
		left = left[n:]
	}
	return copied
}

// marked is the value of [HeaderOutcome]. It is the request's own, since outer middleware may write to what it finds in a header.
func (r *snapshotRoom) marked(mark string) []string {
	r.mark[0] = mark
	return r.mark[:]
}

const maxKeptNames = 64 // a map keeps the memory of its largest size

// recycle takes back the map of a snapshot that nobody reads any more.
func recycle(h http.Header) {
	if h != nil && len(h) <= maxKeptNames {
		clear(h)
		headerMaps.Put(h)
	}
}
