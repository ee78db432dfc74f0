package demo

import (
	"fmt"
	"strings"
	"time"
)

// The picture: a column of times, then four lines of life. No line is longer than pictureWidth.
const (
	pictureWidth = 100
	lineClient   = 10
	lineNetwork  = 34
	lineServer   = 58
	lineLedger   = 82
)

var lifelines = [...]struct {
	at   int
	name string
}{{lineClient, "client"}, {lineNetwork, "network"}, {lineServer, "server"}, {lineLedger, "ledger"}}

// picture draws a life as a sequence diagram, time going down.
type picture struct {
	rows  []string
	start time.Duration
	send  int
	moved int
	keyed bool // sends carry a key
}

// drawLife returns the diagram's lines. keyed says that the client sends a key.
func drawLife(life []event, keyed bool) []string {
	p := picture{keyed: keyed}
	header := []rune(strings.Repeat(" ", pictureWidth))
	for _, l := range lifelines {
		copy(header[l.at-len(l.name)/2:], []rune(l.name))
	}
	p.rows = append(p.rows, strings.TrimRight(string(header), " "))
	if len(life) > 0 {
		p.start = life[0].at
	}
	for len(life) > 0 {
		life = life[p.draw(life):]
	}
	return p.rows
}

// draw draws the first event, together with the next one where both are one movement, and returns how many it drew.
func (p *picture) draw(life []event) int {
	e, next := life[0], event{}
	if len(life) > 1 {
		next = life[1]
	}
	r := p.row(e.at)
	switch e.step {
	case stepSent:
		return p.drawSend(r, next)
	case stepArrived:
		r.right(lineNetwork, lineServer, "")
	case stepMoved:
		p.moved++
		r.right(lineServer, lineLedger, fmt.Sprintf("%d coins", e.coins))
		r.text(lineLedger, "row "+group(int64(e.row)))
		if p.moved > 1 {
			r.text(lineLedger+len(" row ")+len(group(int64(e.row))), "AGAIN")
		}
	case stepAnswered:
		return p.drawReply(r, e, next)
	case stepDropped:
		r.lostLeft("")
	case stepEnded:
		if e.failed {
			r.text(lineClient, e.text)
		} else {
			r.left(lineClient, lineNetwork, "")
		}
	case stepSaved:
		r.text(lineClient, "unknown; saved to disk")
	case stepSettled:
		r.text(lineClient, e.text)
	}
	p.add(r)
	return 1
}

func (p *picture) drawSend(r row, next event) int {
	p.send++
	label := fmt.Sprintf("send %d", p.send)
	if p.keyed && p.send > 1 {
		label += ", same key"
	} else if p.keyed {
		label += ", key K"
	}
	drawn := 2
	switch next.step {
	case stepArrived:
		r.right(lineClient, lineNetwork, label)
		r.right(lineNetwork, lineServer, "")
	case stepDropped:
		r.lostRight(label)
	default:
		r.right(lineClient, lineNetwork, label)
		drawn = 1
	}
	p.add(r)
	return drawn
}

func (p *picture) drawReply(r row, e, next event) int {
	label := fmt.Sprint(e.status)
	switch {
	case e.replayed:
		known := p.row(e.at)
		known.text(lineServer, "K is done: replay")
		p.add(known)
		r.clearTime()
		label += ", replayed"
	case e.saved:
		kept := p.row(e.at)
		kept.text(lineServer, "reply saved under K")
		p.add(kept)
		r.clearTime()
	}
	r.left(lineNetwork, lineServer, label)
	drawn := 1
	switch {
	case next.step == stepDropped:
		r.lostLeft(label)
		drawn = 2
	case next.step == stepEnded && !next.failed:
		r.left(lineClient, lineNetwork, label)
		drawn = 2
	}
	p.add(r)
	return drawn
}

func (p *picture) add(r row) { p.rows = append(p.rows, strings.TrimRight(string(r), " ")) }

// row is one line, lifelines drawn.
type row []rune

func (p *picture) row(at time.Duration) row {
	r := row(strings.Repeat(" ", pictureWidth))
	copy(r, []rune(fmt.Sprintf("%6.1f ms", float64(at-p.start)/float64(time.Millisecond))))
	for _, l := range lifelines {
		r[l.at] = '│'
	}
	return r
}

// clearTime is for a second line of the same moment.
func (r row) clearTime() {
	for i := range lineClient {
		r[i] = ' '
	}
}

// right draws an arrow from one line of life to another, with a label near its tail.
func (r row) right(from, to int, label string) {
	r.shaft(from, to)
	r[to-1] = '►'
	r.label(from+3, to-1, label)
}

// left draws an arrow from the line at to back to the line at from.
func (r row) left(from, to int, label string) {
	r.shaft(from, to)
	r[from+1] = '◄'
	r.label(from+4, to, label)
}

// lostLeft draws a reply that leaves the network and never arrives.
func (r row) lostLeft(label string) {
	r.left(lineClient, lineNetwork, label)
	copy(r[lineClient+1:], []rune("◄── ✗ lost ──"))
	r.label(lineClient+15, lineNetwork, label)
}

// lostRight draws a request that never arrives.
func (r row) lostRight(label string) {
	r.right(lineClient, lineNetwork, label)
	r.text(lineNetwork, "✗ lost")
}

func (r row) shaft(from, to int) {
	for i := from + 1; i < to; i++ {
		r[i] = '─'
	}
}

// label writes over a shaft, clipped to what lies before end.
func (r row) label(at, end int, text string) {
	if text == "" {
		return
	}
	text = " " + text + " "
	for i, c := range []rune(text) {
		if at+i < end-1 {
			r[at+i] = c
		}
	}
}

// text writes beside a line of life.
func (r row) text(line int, text string) {
	for i, c := range []rune(text) {
		if at := line + 2 + i; at < len(r) {
			r[at] = c
		}
	}
}
