package sidecar

import (
	"errors"
	"fmt"
	"io"
	"os"

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

// loadFile reads a strict file: an unknown or doubled key is an error, with its line.
func loadFile(c *Config, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	defer f.Close()
	err = yaml.NewDecoder(f, yaml.Strict()).Decode(c)
	switch {
	case err == nil, errors.Is(err, io.EOF): // a file of comments
		return nil
	}
	return fmt.Errorf("%s is not understood, nothing of it is used:\n%s", name, yaml.FormatError(err, false, true))
}
