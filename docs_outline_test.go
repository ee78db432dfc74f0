package onceward_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// named is a heading that is a name and not a text, such as the type of a problem.
var named = regexp.MustCompile("^`?[a-z0-9]+(?:-[a-z0-9]+)*`?$")

// outline has the level of each section, and the titles that are names.
func (p docPage) outline() (lines []string) {
	for _, s := range p.sections {
		line := strings.Repeat("#", s.level)
		if named.MatchString(s.title) {
			line += " " + s.title
		}
		lines = append(lines, line)
	}
	return lines
}

// titles lists the headings from number n on.
func (p docPage) titles(n int) string {
	var titles []string
	for _, s := range p.sections[min(n, len(p.sections)):] {
		titles = append(titles, strings.Repeat("#", s.level)+" "+s.title)
	}
	return p.path + ": " + strings.Join(titles, ", ")
}

// linked are all the page's links.
func (p docPage) linked() (links []string) {
	for _, s := range p.sections {
		links = append(links, s.links...)
	}
	return links
}

// places are where a section's links lead, in words that both languages have in common.
func (p docPage) places(s *docSection, exists func(string) bool) (places []string) {
	for _, link := range s.links {
		file, anchor, _ := strings.Cut(link, "#")
		switch {
		case strings.Contains(link, "://"):
			places = append(places, link)
		case file == "":
			heading := slices.IndexFunc(p.sections, func(s docSection) bool { return s.level > 0 && slug(s.title) == anchor })
			if heading < 0 {
				places = append(places, p.path+" has no heading "+link)
				continue
			}
			places = append(places, fmt.Sprintf("heading %d of this page", heading))
		default:
			name := pathOf(p.path, link)
			if strings.HasSuffix(name, chinese) && exists(name) {
				name = otherLanguage(name)
			}
			places = append(places, strings.TrimSuffix(name+"#"+anchor, "#"))
		}
	}
	return places
}

// slug is the anchor that GitHub gives a heading.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}
