package onceward

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// Field is one line of a reply's header or trailer. Several with one name stand in the order in which they were sent.
type Field struct{ Name, Value string }

// Reply is the saved answer, of any transport.
//
// It does not print: every fmt verb and slog show its status and its sizes only.
type Reply struct {
	Status  int     // HTTP status or gRPC code; 0 to MaxStatus
	Header  []Field // HTTP header or gRPC metadata
	Body    []byte
	Trailer []Field
}

// clone shares nothing with r that a caller could change.
func (r Reply) clone() Reply {
	r.Header, r.Body, r.Trailer = slices.Clone(r.Header), bytes.Clone(r.Body), slices.Clone(r.Trailer)
	return r
}

// String returns status and sizes.
func (r Reply) String() string {
	return fmt.Sprintf("status %d, %d header fields, %d bytes, %d trailer fields", r.Status, len(r.Header), len(r.Body), len(r.Trailer))
}

// Format writes String for every verb, also those for which fmt would look into the struct.
func (r Reply) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// LogValue returns status and sizes, for slog.
func (r Reply) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int("status", r.Status),
		slog.Int("header", len(r.Header)),
		slog.Int("bytes", len(r.Body)),
		slog.Int("trailer", len(r.Trailer)),
	)
}
