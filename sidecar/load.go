package sidecar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// Sources is where a configuration comes from. Flags count more than the environment, and the environment more than the file.
type Sources struct {
	File  string                           // of YAML; "": none
	Env   func(name string) (string, bool) // [os.LookupEnv]; nil: none
	Flags map[string][]string              // what each flag that was given was given, in order
}

// Load reads the configuration. It does not check it: see [Config.Validate]. Loading again reads the file again.
func Load(from Sources) (Config, error) {
	c := Default()
	if from.File != "" {
		if err := loadFile(&c, from.File); err != nil {
			return Config{}, err
		}
	}
	var faults []error
	for _, s := range Settings(&c) {
		if from.Env != nil {
			if text, ok := from.Env(s.Env()); ok && text != "" {
				if err := s.Set(text); err != nil {
					faults = append(faults, fmt.Errorf("%s: %w", s.Env(), err))
				}
			}
		}
		if texts, ok := from.Flags[s.Name]; ok {
			if err := s.Set(texts...); err != nil {
				faults = append(faults, fmt.Errorf("--%w", err))
			}
		}
	}
	return c, errors.Join(faults...)
}

// loadFile reads a strict file: an unknown or doubled key is an error, with its place.
func loadFile(c *Config, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	if err = decode(text, c); err == nil {
		return nil
	}
	var placed yaml.Error
	if errors.As(err, &placed) {
		return fmt.Errorf("%s is not understood, nothing of it is used:\n%s", name, masked(yaml.FormatError(err, false, true)))
	}
	return fmt.Errorf("%s is not understood, nothing of it is used:\n%w%s", name, err, masked(placeOf(text)))
}

func decode(text []byte, into any) error {
	documents := yaml.NewDecoder(bytes.NewReader(text), strictly()...)
	err := documents.Decode(into)
	if errors.Is(err, io.EOF) { // a file of comments
		return nil
	}
	if err == nil {
		var second any
		if err := documents.Decode(&second); !errors.Is(err, io.EOF) {
			return errors.New("it has a second document, behind ---")
		}
	}
	return err
}

// strictly reads numbers and times as flags do. YAML's own reading would cut 1.5 to 1, and take no 0 for a time.
func strictly() []yaml.DecodeOption {
	return []yaml.DecodeOption{
		yaml.Strict(),
		yaml.CustomUnmarshaler(func(to *int, text []byte) error { return intFrom(to, scalar(text)) }),
		yaml.CustomUnmarshaler(func(to *time.Duration, text []byte) error { return timeFrom(to, scalar(text)) }),
	}
}

func scalar(text []byte) string { return strings.Trim(strings.TrimSpace(string(text)), `"'`) }

// UnknownEnv names the variables that look like settings and are none. They are no error: Kubernetes sets such ones for a service called onceward-proxy.
func UnknownEnv(environ []string) []string {
	var c Config
	known := make(map[string]bool)
	for _, s := range Settings(&c) {
		known[s.Env()] = true
	}
	var out []string
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, EnvPrefix) && !known[name] {
			out = append(out, name)
		}
	}
	return out
}

// placeOf finds the value that cannot be read, whose error does not tell where it stands, and shows it: settings are tried one by one.
func placeOf(text []byte) string {
	var all map[string]any
	if decode(text, &all) != nil {
		return ""
	}
	for name, value := range all {
		routes, isList := value.([]any)
		if name != "routes" || !isList {
			if bad(map[string]any{name: value}) {
				return shown(text, "$."+name)
			}
			continue
		}
		for i, route := range routes {
			fields, _ := route.(map[string]any)
			for field, value := range fields {
				if bad(map[string]any{"routes": []any{map[string]any{field: value}}}) {
					return shown(text, fmt.Sprintf("$.routes[%d].%s", i, field))
				}
			}
		}
	}
	return ""
}

func bad(part map[string]any) bool {
	text, err := yaml.Marshal(part)
	return err == nil && decode(text, new(Config)) != nil
}

// secrets are what an excerpt of a file may show of passwords: the store, on its own line, and the user's part of any URL.
var secrets = regexp.MustCompile(`(?m)(\bstore["']?[ \t]*:[ \t]*)\S.*$|(://)\S*@`)

func masked(excerpt string) string { return secrets.ReplaceAllString(excerpt, "${1}${2}…") }

// shown is the line of a value with a caret below it.
func shown(text []byte, where string) string {
	path, err := yaml.PathString(where)
	if err != nil {
		return ""
	}
	source, err := path.AnnotateSource(text, false)
	if err != nil {
		return ""
	}
	return "\n" + string(source)
}
