package faultproxy

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/onceward/onceward/faults"
)

// journal writes one JSON object a line for each fault. After an error it writes no more: a log with holes would be taken for the
// whole truth.
type journal struct {
	broken chan struct{} // closed at the first error

	mu      sync.Mutex
	encoder *json.Encoder
	cause   error
}

func newJournal() *journal { return &journal{broken: make(chan struct{})} }

// begin is called once, before the first write.
func (j *journal) begin(w io.Writer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.encoder = json.NewEncoder(w)
	j.encoder.SetEscapeHTML(false)
}

func (j *journal) write(e faults.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cause != nil {
		return
	}
	if err := j.encoder.Encode(e); err != nil {
		j.cause = fmt.Errorf("--log: the log could not be written, so the proxy has stopped: %w", err)
		close(j.broken)
	}
}

func (j *journal) err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cause
}
