package onceward_test

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

const chinese = ".zh-CN.md"

// X.md and X.zh-CN.md say the same. A test cannot read, so it compares, section by section, what a translation leaves as it is: the levels of headings,
// and their texts where they are names; code blocks byte for byte, comments included; of diagrams – blocks without a language – the number of lines; the
// shapes of tables and lists; inline code, links, numbers. And each page is written in its own language.
func TestLanguagesAreEqual(t *testing.T) {
	pages := map[string]docPage{}
	for _, name := range tree(t, ".md") {
		pages[name] = parsePage(name, string(read(t, name)))
	}
	for _, must := range []string{"README.zh-CN.md", "docs/problems.zh-CN.md"} { // what a person reads first
		if _, err := os.Stat(must); err != nil {
			t.Error(err)
		}
	}
	exists := func(name string) bool { return pages[name].path != "" }
	for _, name := range tree(t, chinese) {
		english := otherLanguage(name)
		if !exists(english) {
			t.Errorf("%s has no %s", name, english)
			continue
		}
		for _, fault := range languageFaults(pages[english], pages[name], exists) {
			t.Error(fault)
		}
	}
}

// otherLanguage is the name that a page has in the other language.
func otherLanguage(name string) string {
	if english, ok := strings.CutSuffix(name, chinese); ok {
		return english + ".md"
	}
	return strings.TrimSuffix(name, ".md") + chinese
}

// pathOf is where a link of a page leads, from the root of the repository.
func pathOf(page, link string) string {
	file, _, _ := strings.Cut(link, "#")
	return path.Join(path.Dir(page), file)
}

// languageFaults says where the two pages differ. exists knows the documents, so that a link may lead to their Chinese form.
func languageFaults(en, zh docPage, exists func(string) bool) (faults []string) {
	for _, p := range []docPage{en, zh} {
		if !slices.ContainsFunc(p.linked(), func(link string) bool { return pathOf(p.path, link) == otherLanguage(p.path) }) {
			faults = append(faults, fmt.Sprintf("%s: no link to %s", p.path, otherLanguage(p.path)))
		}
	}
	a, b := en.outline(), zh.outline()
	for n := range max(len(a), len(b)) {
		if n >= len(a) || n >= len(b) || a[n] != b[n] {
			return append(faults, fmt.Sprintf("%s has %d headings, %s has %d; they differ from heading %d on:\n\t%s\n\t%s",
				en.path, len(a)-1, zh.path, len(b)-1, n, en.titles(n), zh.titles(n)))
		}
	}
	for n := range en.sections {
		e, z := &en.sections[n], &zh.sections[n]
		found := slices.Concat(e.fenceFaults(z), e.shapeFaults(z),
			differ("inline code", e.code, z.code),
			differ("link", en.places(e, exists), zh.places(z, exists)),
			differ("number, true or false", e.facts, z.facts),
			e.untranslated(z), z.typography())
		for _, fault := range found {
			faults = append(faults, fmt.Sprintf("%s:%d %q, %s:%d %q: %s", en.path, e.line, e.title, zh.path, z.line, z.title, fault))
		}
	}
	return faults
}

func (s *docSection) fenceFaults(z *docSection) []string {
	if len(s.fences) != len(z.fences) {
		return []string{fmt.Sprintf("%d code blocks in English, %d in Chinese", len(s.fences), len(z.fences))}
	}
	for n, a := range s.fences {
		b := z.fences[n]
		if a.info != b.info || len(a.lines) != len(b.lines) {
			return []string{fmt.Sprintf("code block %d: %d lines of %q in English, %d of %q in Chinese", n+1, len(a.lines), a.info, len(b.lines), b.info)}
		}
		for i := range a.lines {
			if a.info != "" && a.lines[i] != b.lines[i] {
				return []string{fmt.Sprintf("code block %d, line %d: %q in English, %q in Chinese", n+1, i+1, a.lines[i], b.lines[i])}
			}
		}
	}
	return nil
}

func (s *docSection) shapeFaults(z *docSection) (faults []string) {
	if a, b := fmt.Sprint(s.tables), fmt.Sprint(z.tables); a != b {
		faults = append(faults, fmt.Sprintf("tables, as cells in each row: %s in English, %s in Chinese", a, b))
	}
	if !slices.Equal(s.items, z.items) {
		faults = append(faults, fmt.Sprintf("list items: %q in English, %q in Chinese", s.items, z.items))
	}
	return faults
}

// differ compares two lists regardless of order: a sentence may be built the other way round.
func differ(what string, en, zh []string) (faults []string) {
	missing := func(from, in []string) (only []string) {
		rest := slices.Clone(in)
		for _, x := range from {
			if n := slices.Index(rest, x); n >= 0 {
				rest = slices.Delete(rest, n, n+1)
			} else {
				only = append(only, x)
			}
		}
		return only
	}
	if a, b := missing(en, zh), missing(zh, en); len(a)+len(b) > 0 {
		return []string{fmt.Sprintf("%s: only in English %q, only in Chinese %q", what, a, b)}
	}
	return nil
}
