package sidecar

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// EnvPrefix begins the environment's name of a setting.
const EnvPrefix = "ONCEWARD_PROXY_"

// Setting is one field of a [Config], as the command line, the environment and the manual show it.
type Setting struct {
	Name string // of the flag, and the key in the file
	Arg  string // what stands for its value
	Help string
	list bool
	at   reflect.Value
}

// Settings lists the settings of c, in the order of its fields. They write to c.
func Settings(c *Config) []Setting {
	v := reflect.ValueOf(c).Elem()
	out := make([]Setting, 0, v.NumField())
	for i := range v.NumField() {
		f := v.Type().Field(i)
		s := Setting{Name: f.Tag.Get("yaml"), Arg: f.Tag.Get("arg"), Help: f.Tag.Get("help"), list: f.Type.Kind() == reflect.Slice, at: v.Field(i)}
		if s.Arg == "" {
			s.Arg = argOf[f.Type]
		}
		out = append(out, s)
	}
	return out
}

var argOf = map[reflect.Type]string{
	reflect.TypeFor[time.Duration](): "TIME", reflect.TypeFor[Bytes](): "SIZE", reflect.TypeFor[int](): "NUMBER",
}

// Env is the setting's name in the environment.
func (s Setting) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// IsBool reports whether a flag without a value means true.
func (s Setting) IsBool() bool { return s.at.Kind() == reflect.Bool }

// IsList reports whether a flag may be repeated.
func (s Setting) IsList() bool { return s.list }

// String is the value as text; "" if it is not set.
func (s Setting) String() string {
	switch v := s.at.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case []Route:
		return ""
	case bool:
		if !v {
			return ""
		}
	}
	return fmt.Sprint(s.at.Interface())
}

// Set gives the setting a value; a list has one or more, and each may have several parts.
func (s Setting) Set(texts ...string) error {
	if err := s.set(texts); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}

func (s Setting) set(texts []string) error {
	text := texts[len(texts)-1]
	switch p := s.at.Addr().Interface().(type) {
	case *string:
		*p = text
	case *[]string:
		*p = nil
		for _, t := range texts {
			for part := range strings.SplitSeq(t, ",") {
				if part = strings.TrimSpace(part); part != "" {
					*p = append(*p, part)
				}
			}
		}
	case *bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*p = v
	case *int:
		return intFrom(p, text)
	case *time.Duration:
		return timeFrom(p, text)
	case *Bytes:
		return p.UnmarshalText([]byte(text))
	case *[]Route:
		return setRoutes(p, texts)
	default:
		return fmt.Errorf("a setting of type %T", p)
	}
	return nil
}

func intFrom(to *int, text string) (err error) {
	if *to, err = strconv.Atoi(text); err != nil {
		return fmt.Errorf("%q is no whole number", text)
	}
	return nil
}

func timeFrom(to *time.Duration, text string) (err error) {
	if *to, err = time.ParseDuration(text); err != nil {
		return fmt.Errorf("%q is no time: write 90s, 15m or 24h", text)
	}
	return nil
}

// setRoutes reads each text as one route or as a list of them.
func setRoutes(p *[]Route, texts []string) error {
	*p = nil
	for _, t := range texts {
		var routes []Route
		into := any(&routes)
		if trimmed := strings.TrimSpace(t); !strings.HasPrefix(trimmed, "[") && !strings.HasPrefix(trimmed, "-") {
			routes = make([]Route, 1)
			into = &routes[0]
		}
		if err := yaml.UnmarshalWithOptions([]byte(t), into, strictly()...); err != nil {
			return fmt.Errorf("not understood:\n%s", yaml.FormatError(err, false, true))
		}
		*p = append(*p, routes...)
	}
	return nil
}
