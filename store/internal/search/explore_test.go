package search

import (
	"fmt"
	"strings"
)

// node is a state that was reached, and from where: the nth turn of its parent.
type node struct {
	world  world
	parent int32
	nth    uint16
	depth  uint16
}

// result is what a search came to.
type result struct {
	states  int
	broken  property // zero: none
	history []string // the shortest that breaks it, one line a step
	last    world    // where that history ends
}

// explore visits every state that m can reach, nearest first, at most deep steps away (zero: any number), until a property is
// broken. Because it goes breadth first, no shorter history breaks one.
func explore(m *model, deep int) result {
	first := m.first()
	nodes := []node{{world: first, parent: -1}}
	seen := map[world]struct{}{first.canonical(): {}}
	w := walker{model: m}
	for at := 0; at < len(nodes); at++ {
		if deep > 0 && int(nodes[at].depth) >= deep {
			break
		}
		for nth, turn := range w.turns(nodes[at].world) {
			if turn.broken != 0 {
				return result{len(seen), turn.broken, tell(m, nodes, at, nth), turn.world}
			}
			key := turn.world.canonical()
			if _, ok := seen[key]; ok {
				continue
			}
			seen[key] = struct{}{}
			nodes = append(nodes, node{turn.world, int32(at), uint16(nth), nodes[at].depth + 1})
		}
	}
	return result{states: len(seen)}
}

// tell takes the steps to the nth turn of node at once more, this time with their words.
func tell(m *model, nodes []node, at, nth int) []string {
	w := walker{model: m, aloud: true}
	var back []string
	for ; at >= 0; at = int(nodes[at].parent) {
		back = append(back, w.turns(nodes[at].world)[nth].text)
		nth = int(nodes[at].nth)
	}
	lines := make([]string, len(back))
	for i, text := range back {
		n := len(back) - i
		lines[n-1] = fmt.Sprintf("%2d. %s", n, text)
	}
	return lines
}

// String prints the history for a person.
func (r result) String() string {
	if r.broken == 0 {
		return fmt.Sprintf("%d states, nothing broken", r.states)
	}
	return fmt.Sprintf("%s (found among %d states)\n%s\n    effects of transfer: %d",
		r.broken, r.states, strings.Join(r.history, "\n"), r.last.effects)
}
