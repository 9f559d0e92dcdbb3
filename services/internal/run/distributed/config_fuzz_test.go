package distributed_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"sigs.k8s.io/yaml"

	files "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/config"
	"github.com/cotmoc/cotmoc/services/internal/run/distributed"
)

// FuzzConfig: a file is refused, or every key in it is a setting, and the settings
// printed are read as the same settings.
func FuzzConfig(f *testing.F) {
	for _, name := range []string{"registry.yaml", "reporting.yaml"} {
		text, err := files.File(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{"", "listen: null", "listen: 7600", "nats: {replicas: 3, urls: [a, b]}", "nats: {replicas: 1e9}",
		"drain: 5", "drain: 500ms", "registry: a,b", "registry: [[a], {b: c}]", "tls: [1]", "lisen: x", "database: {url: x, lru: y}",
		"log_format: xml", "log_level: warn\nlog-level: debug", "nats: {ca: a}\nnats-ca: b", "- listen", "listen: &a 127.0.0.1:1\nadmin_listen: *a", "listen: {: x}", "log-level: {}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		first, printed, err := settings(text)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("refused without a word")
			}
			return
		}
		known := map[string]bool{}
		for _, flag := range first {
			known[flag.Name] = true
		}
		var tree map[string]any
		if err := yaml.Unmarshal(text, &tree); err != nil {
			t.Fatalf("what is no YAML is taken: %v", err)
		}
		unknownKeys(t, known, "", tree)
		for range 3 { // the order of a map is another each time
			if _, again, err := settings(text); err != nil || again != printed {
				t.Fatalf("read again, it says something else: %v\n%s\n%s", err, printed, again)
			}
		}
		if _, again, err := settings([]byte(printed)); err != nil || again != printed {
			t.Errorf("printed and read again: %v\n%s\n%s", err, printed, again)
		}
	})
}

// settings reads a file as the services do.
func settings(text []byte) ([]*kong.Flag, string, error) {
	var into struct{ distributed.ReportingConfig }
	resolver, err := config.Load(bytes.NewReader(text))
	if err != nil {
		return nil, "", err
	}
	parser, err := kong.New(&into, kong.Resolvers(resolver))
	if err != nil {
		return nil, "", err
	}
	command, err := parser.Parse(nil)
	if err != nil {
		return nil, "", err
	}
	_ = into.Check() // whatever it says
	var printed bytes.Buffer
	err = distributed.Print(&printed, command.Flags())
	return command.Flags(), printed.String(), err
}

// unknownKeys fails for a key that no setting begins with.
func unknownKeys(t *testing.T, known map[string]bool, prefix string, tree map[string]any) {
	for key, value := range tree {
		name := prefix + strings.ReplaceAll(key, "_", "-")
		if below, ok := value.(map[string]any); ok {
			unknownKeys(t, known, name+"-", below)
		} else if !known[name] {
			t.Errorf("%q is taken, and no setting", name)
		}
	}
}
