package oncehttp

import (
	"net/http"
	"sync"

	"github.com/onceward/onceward"
)

// snapshotRoom is memory for the header of an ordinary reply, so that keeping it takes none of the heap: most replies have few fields.
type snapshotRoom struct {
	values [8]string
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

// recycle takes back the map of a snapshot that nobody reads any more.
func recycle(h http.Header) {
	if h != nil {
		clear(h)
		headerMaps.Put(h)
	}
}
