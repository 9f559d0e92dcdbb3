// Package config reads what a program is told: by flags, which win, by environment
// variables, by a YAML file, and by defaults, into one struct with the tags of kong.
package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"sigs.k8s.io/yaml"
)

// Options make a parser read the four sources. prefix begins the name of every
// variable: with COTMOC, --database-url is COTMOC_DATABASE_URL. The file is what a
// flag of the type kong.ConfigFlag names; `database: {url: …}` there is --database-url.
func Options(prefix string) []kong.Option {
	return []kong.Option{kong.Configuration(Load), kong.DefaultEnvars(prefix)}
}

// file is a YAML file, its keys joined to the names of flags.
type file map[string]any

// Load reads a YAML file.
func Load(r io.Reader) (kong.Resolver, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := yaml.UnmarshalStrict(text, &tree); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	f := file{}
	return f, f.add("", tree)
}

// add refuses a setting that stands twice, in two ways of writing it: which of the two
// is meant nobody knows.
func (f file) add(prefix string, tree map[string]any) error {
	for key, value := range tree {
		name := prefix + strings.ReplaceAll(key, "_", "-")
		if below, ok := value.(map[string]any); ok {
			if err := f.add(name+"-", below); err != nil {
				return err
			}
			continue
		}
		if _, twice := f[name]; twice {
			return fmt.Errorf("configuration file: the setting %q stands twice", name)
		}
		f[name] = value
	}
	return nil
}

// Validate refuses keys that are no flag of any command: a key that was written
// wrong would be silently left out.
func (f file) Validate(app *kong.Application) error {
	known := map[string]bool{}
	note := func(flags []*kong.Flag) {
		for _, flag := range flags {
			known[flag.Name] = true
		}
	}
	note(app.Flags)
	for _, command := range app.Leaves(false) {
		for _, flags := range command.AllFlags(false) {
			note(flags)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if !known[name] {
			return fmt.Errorf("configuration file: there is no setting %q", name)
		}
	}
	return nil
}

// Resolve gives a flag what the file says, unless the environment says something.
func (f file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	value, ok := f[flag.Name]
	if !ok {
		return nil, nil
	}
	return value, nil
}
