package sidecar

import (
	"fmt"
	"reflect"
	"strings"
)

// SettingsTable is the settings as the manual has them, in Markdown.
func SettingsTable(c *Config) string {
	var b strings.Builder
	b.WriteString("| setting | default | what it is |\n|---|---|---|\n")
	for _, s := range Settings(c) {
		value := s.String()
		if value != "" {
			value = "`" + value + "`"
		}
		name := "`" + s.Name + "`"
		if s.Arg != "" {
			name += " " + strings.ReplaceAll(s.Arg, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, value, s.Help)
	}
	return b.String()
}

// RouteTable is what a route may have, in Markdown.
func RouteTable() string {
	var b strings.Builder
	b.WriteString("| in a route | what it is |\n|---|---|\n")
	t := reflect.TypeFor[Route]()
	for i := range t.NumField() {
		f := t.Field(i)
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.Tag.Get("yaml"), f.Tag.Get("help"))
	}
	return b.String()
}
