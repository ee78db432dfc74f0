package adminapi

import (
	"strconv"
	"strings"
	"unicode"
)

// Plain is text that cannot move a terminal's cursor or pass for more than one line: strangers have chosen what a record says. What has anything
// else in it, a change of the direction of writing included, is quoted.
func Plain(text string) string {
	if Printable(text) {
		return text
	}
	return strconv.Quote(text)
}

// Printable reports whether text is its own plain form.
func Printable(text string) bool {
	odd := func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }
	return text != "" && strings.TrimSpace(text) == text && !strings.ContainsFunc(text, odd)
}
