package simulation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// checking bounds porcupine's search of one history. They take less than a millisecond.
const checking = 10 * time.Second

// verdict says what is wrong with a run; "" is nothing.
func (w *world) verdict() string {
	var faults []string
	for _, part := range byIntent(w.operations) {
		if result := porcupine.CheckOperationsTimeout(promise, part, checking); result != porcupine.Ok {
			intent := part[0].Input.(input).intent
			faults = append(faults, fmt.Sprintf("intent %d: no order of its history keeps the promise (%s)\n%s", intent, result, w.timeline(intent)))
		}
	}
	for _, c := range w.complaints {
		faults = append(faults, fmt.Sprintf("%s\n%s", c.text, w.timeline(c.intent)))
	}
	return strings.Join(faults, "\n")
}

// timeline tells what happened to one intent, with what happened to the servers from its first send to its last.
func (w *world) timeline(intent int) string {
	mine := func(about string) bool {
		of, known := w.intents[about]
		return known && of.intent == intent
	}
	first, last := len(w.notes), -1
	for i, n := range w.notes {
		if mine(n.about) {
			first, last = min(first, i), i
		}
	}
	var text strings.Builder
	for i, n := range w.notes {
		if mine(n.about) {
			fmt.Fprintf(&text, "%14v  %s, key %d: %s\n", n.at, n.about, w.intents[n.about].key, n.text)
		} else if n.about == "" && (strings.Contains(n.text, "starts") || first <= i && i <= last) {
			fmt.Fprintf(&text, "%14v  %s\n", n.at, n.text)
		}
	}
	return text.String()
}

// picture writes porcupine's picture of the history and returns where: $ONCEWARD_ARTIFACTS or else the system's temporary folder, which outlives the test.
func (w *world) picture() string {
	dir := os.Getenv("ONCEWARD_ARTIFACTS")
	if dir == "" {
		dir = os.TempDir()
	}
	_, info := porcupine.CheckOperationsVerbose(promise, w.operations, checking)
	path := filepath.Join(dir, fmt.Sprintf("onceward-simulation-%d.html", uint64(w.dice)))
	if err := porcupine.VisualizePath(promise, info, path); err != nil {
		return err.Error()
	}
	return path
}
