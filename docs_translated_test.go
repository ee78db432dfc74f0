package onceward_test

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// untranslated finds prose in the wrong language, in a block or, where each block is short, in a section.
func (s *docSection) untranslated(z *docSection) (faults []string) {
	for _, p := range s.prose {
		if han, _ := letters(p.text); han > 0 {
			faults = append(faults, fmt.Sprintf("line %d of the English page is Chinese", p.line))
		}
	}
	whole := docProse{line: z.line}
	for _, p := range z.prose {
		whole.text += p.text
		if foreign(p.text) {
			faults = append(faults, fmt.Sprintf("line %d of the Chinese page is not translated", p.line))
		}
	}
	if len(faults) == 0 && foreign(whole.text) {
		faults = append(faults, "the Chinese section is not translated")
	}
	if named.MatchString(z.title) || z.level == 0 {
		return faults
	}
	if han, _ := letters(z.title); han == 0 {
		faults = append(faults, "the Chinese heading is not translated")
	}
	return faults
}

func letters(text string) (han, latin int) {
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Han, r):
			han++
		case unicode.Is(unicode.Latin, r):
			latin++
		}
	}
	return han, latin
}

// foreign: names and terms in brackets stand in any Chinese text, but not most of it. A word is about six letters or two characters.
func foreign(text string) bool {
	han, latin := letters(text)
	return latin >= 30 && han*2 < latin
}

var (
	softBreak = regexp.MustCompile(`[\p{Han}，。；：！？、）】》”]\n[\p{Han}（【《“]`)
	halfWidth = regexp.MustCompile(`\p{Han}[,;:!?](?:[\s\p{Han}]|$)`)
)

// typography finds what Markdown or a reader trips over in Chinese text only.
func (s *docSection) typography() (faults []string) {
	for _, p := range s.prose {
		if hit := softBreak.FindString(p.text); hit != "" {
			faults = append(faults, fmt.Sprintf("line %d: %q: a line break between Chinese characters is shown as a space", p.line, hit))
		}
		if hit := halfWidth.FindString(p.text); hit != "" {
			faults = append(faults, fmt.Sprintf("line %d: %q: half-width punctuation after Chinese text", p.line, hit))
		}
		if hit := brokenEmphasis(p.text); hit != "" {
			faults = append(faults, fmt.Sprintf("line %d: %q is not shown as emphasis: no punctuation between * and a neighbouring word", p.line, hit))
		}
	}
	return faults
}

// brokenEmphasis finds asterisks that CommonMark does not take for emphasis: between punctuation inside and a word outside, where English has a space.
func brokenEmphasis(text string) string {
	parts := strings.Split(strings.ReplaceAll(text, "**", "*"), "*")
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
	mark := func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }
	for n := 1; n < len(parts); n += 2 {
		if n == len(parts)-1 {
			return parts[n] // without an end
		}
		first, _ := utf8.DecodeRuneInString(parts[n])
		last, _ := utf8.DecodeLastRuneInString(parts[n])
		before, _ := utf8.DecodeLastRuneInString(parts[n-1])
		after, _ := utf8.DecodeRuneInString(parts[n+1])
		if word(before) && mark(first) || mark(last) && word(after) {
			return parts[n]
		}
	}
	return ""
}
