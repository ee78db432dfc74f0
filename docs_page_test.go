package onceward_test

import (
	"regexp"
	"slices"
	"strings"
)

// docPage is a document as its reader sees it: sections, each with what it consists of.
type docPage struct {
	path     string
	sections []docSection // the first is what stands above the first heading
}

type docSection struct {
	line   int
	level  int
	title  string
	fences []docFence
	tables [][]int  // of each table the number of cells in each row
	items  []string // of each list item the indentation and the mark, a number as 1
	code   []string // inline code
	links  []string // where they lead, as written
	facts  []string // what no translation changes: numbers, true and false
	prose  []docProse
}

// docFence is a code block. One without a language is a diagram.
type docFence struct {
	info  string
	lines []string
}

// docProse is a paragraph, a list item or a table's row, without its code and its links' targets.
type docProse struct {
	line int
	text string
}

var (
	pageHeading = regexp.MustCompile(`^(#{1,6}) +(.+?) *$`)
	pageItem    = regexp.MustCompile(`^( *)([*+-]|\d+[.)]) +(.*)$`)
	pageNumber  = regexp.MustCompile(`\d+`)
	pageCell    = regexp.MustCompile(`(?:^|[^\\])\|`)
	pageCode    = regexp.MustCompile("``[^`](?:.*?[^`])?``|`[^`]+`")
	pageLink    = regexp.MustCompile(`!?\[([^\]]*)\]\(([^)\s]+)\)`)
	pageURL     = regexp.MustCompile(`https?://[\w./?#=&%~:@-]*[\w/#=&%~@-]`)
	pageFact    = regexp.MustCompile(`\d+|\b(?:true|false)\b`)
	pageRegion  = regexp.MustCompile(`^<!-- ([\w-]+):`)
)

// parsePage knows the Markdown of this repository. Of a generated region, <!-- name: … --> to <!-- /name -->, only the tables' shapes count.
func parsePage(path, text string) docPage {
	p := docPage{path: path, sections: []docSection{{line: 1}}}
	lines := strings.Split(text, "\n")
	generatedTo, inTable := -1, false
	var block []string
	for n := 0; n < len(lines); n++ {
		s, line := &p.sections[len(p.sections)-1], strings.TrimSpace(strings.TrimPrefix(lines[n], "> "))
		isRow := strings.HasPrefix(line, "|")
		generated := n < generatedTo
		if len(block) > 0 && !continues(line) || generated {
			s.read(n-len(block)+1, strings.Join(block, "\n"), path)
			block = nil
		}
		switch {
		case isRow:
			if !inTable {
				s.tables = append(s.tables, nil)
			}
			last := len(s.tables) - 1
			s.tables[last] = append(s.tables[last], len(pageCell.FindAllString(line, -1))-1)
			if !generated {
				s.read(n+1, line, path)
			}
		case strings.HasPrefix(line, "<!--"):
			if m := pageRegion.FindStringSubmatch(line); m != nil {
				if length := slices.Index(lines[n:], "<!-- /"+m[1]+" -->"); length > 0 {
					generatedTo = n + length
				}
			}
			n += max(0, slices.IndexFunc(lines[n:], func(l string) bool { return strings.Contains(l, "-->") }))
		case generated, line == "":
		case strings.HasPrefix(line, "```"):
			fence := fenceAt(lines[n:])
			if fence.info == "" {
				s.facts = append(s.facts, pageFact.FindAllString(strings.Join(fence.lines, "\n"), -1)...)
			}
			s.fences = append(s.fences, fence)
			n += len(fence.lines) + 1
		case pageHeading.MatchString(line):
			m := pageHeading.FindStringSubmatch(line)
			p.sections = append(p.sections, docSection{line: n + 1, level: len(m[1]), title: m[2]})
		case pageItem.MatchString(lines[n]):
			m := pageItem.FindStringSubmatch(lines[n])
			s.items = append(s.items, m[1]+pageNumber.ReplaceAllString(m[2], "1"))
			block = []string{m[3]}
		default:
			block = append(block, line)
		}
		inTable = isRow
	}
	s := &p.sections[len(p.sections)-1]
	s.read(len(lines)-len(block)+1, strings.Join(block, "\n"), path)
	return p
}

// fenceAt reads the code block that begins in the first of the lines.
func fenceAt(lines []string) docFence {
	fence := docFence{info: strings.TrimPrefix(strings.TrimSpace(lines[0]), "```")}
	for _, line := range lines[1:] {
		if strings.TrimSpace(line) == "```" {
			break
		}
		fence.lines = append(fence.lines, line)
	}
	return fence
}

// continues says whether a line goes on with the paragraph above it.
func continues(line string) bool {
	return line != "" && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "```") && !strings.HasPrefix(line, "<!--") &&
		!pageHeading.MatchString(line) && !pageItem.MatchString(line)
}

// read takes code, links and facts out of a block of prose and keeps the rest.
func (s *docSection) read(line int, text, path string) {
	if text == "" {
		return
	}
	text = pageCode.ReplaceAllStringFunc(text, func(span string) string {
		s.code = append(s.code, strings.ReplaceAll(span, "\n", " "))
		return "``"
	})
	text = pageLink.ReplaceAllStringFunc(text, func(link string) string {
		m := pageLink.FindStringSubmatch(link)
		s.links = append(s.links, m[2])
		if m[1] == m[2] || otherLanguage(path) == pathOf(path, m[2]) {
			return "" // a file's or a language's name: in both pages the same
		}
		return m[1]
	})
	text = pageURL.ReplaceAllStringFunc(text, func(url string) string {
		s.links = append(s.links, url)
		return ""
	})
	s.facts = append(s.facts, pageFact.FindAllString(text, -1)...)
	s.prose = append(s.prose, docProse{line, text})
}
