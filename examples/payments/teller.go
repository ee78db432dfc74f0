package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// teller writes the story.
type teller struct {
	mu    sync.Mutex
	w     io.Writer
	n     int  // scenes so far
	quiet bool // say nothing: too much happens
}

func (t *teller) hush(quiet bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.quiet = quiet
}

func (t *teller) scene(title string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	fmt.Fprintf(t.w, "\n%d. %s\n", t.n, title)
}

func (t *teller) say(who, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.quiet {
		return
	}
	for i, line := range strings.Split(fmt.Sprintf(format, args...), "\n") {
		if i > 0 {
			who = ""
		}
		fmt.Fprintf(t.w, "   %-9s %s\n", who, line)
	}
}

// money writes cents as people do.
func money(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// times is a count in words.
func times(n int) string {
	switch n {
	case 0:
		return "not at all"
	case 1:
		return "once"
	case 2:
		return "TWICE"
	}
	return fmt.Sprintf("%d TIMES", n)
}
