package cluster_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats-server/v2/conf"

	files "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/config"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
	"github.com/cotmoc/cotmoc/services/internal/run/distributed"
)

// shipped is the folder of the files that an installation begins with.
const shipped = "../../../deploy/config"

// TestEveryFileIsTried: a file that no test reads is not shipped.
func TestEveryFileIsTried(t *testing.T) {
	tried := map[string]bool{"registry.yaml": true, "reporting.yaml": true, "nats-server.conf": true,
		"nats-accounts.conf.tmpl": true, "postgresql.conf": true}
	entries, err := os.ReadDir(shipped)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !tried[e.Name()] && filepath.Ext(e.Name()) != ".go" {
			t.Errorf("no test reads %s", e.Name())
		}
	}
}

// TestSettings reads the services' files as the services do: every key is a setting,
// and nothing is missing or unsafe.
func TestSettings(t *testing.T) {
	var registry struct {
		File kong.ConfigFlag `name:"config"`
		distributed.Config
	}
	read(t, &registry, "registry.yaml")
	if err := registry.Check(); err != nil {
		t.Errorf("registry.yaml: %v", err)
	}
	var reporting struct {
		File kong.ConfigFlag `name:"config"`
		distributed.ReportingConfig
	}
	read(t, &reporting, "reporting.yaml")
	if err := reporting.Check(); err != nil {
		t.Errorf("reporting.yaml: %v", err)
	}
	if reporting.NATS.Replicas != 3 || len(reporting.Registry) != 2 || !reporting.TLS.On() {
		t.Errorf("reporting.yaml says %+v", reporting.ReportingConfig)
	}
}

func read(t *testing.T, into any, file string) {
	t.Helper()
	parser, err := kong.New(into, config.Options("NOT_SET")...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--config", filepath.Join(shipped, file)}); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestNATS reads NATS's files as nats-server does.
func TestNATS(t *testing.T) {
	dir := t.TempDir()
	var accounts bytes.Buffer
	if err := files.WriteAccounts(&accounts, []files.Account{{Name: "a", Service: "UA", Subscribers: []files.Subscriber{
		{Name: "board", Key: "UB", Consumers: []string{"board", "board-2"}}, {Name: "press", Key: "UC", Consumers: []string{"press"}}}}, {Name: "b", Service: "UD"}}); err != nil {
		t.Fatal(err)
	}
	server, err := files.File("nats-server.conf")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"nats-accounts.conf": accounts.Bytes(), "nats-server.conf": server} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range regexp.MustCompile(`\$(COTMOC_NATS_[A-Z]+)`).FindAllSubmatch(server, -1) {
		t.Setenv(string(name[1]), `["x"]`)
	}
	parsed, err := conf.ParseFile(filepath.Join(dir, "nats-server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := accounts.String()
	if all, ok := parsed["accounts"].(map[string]any); !ok || len(all) != 4 {
		t.Errorf("accounts are %v", parsed["accounts"])
	}
	if strings.Contains(text, "CONSUMER.CREATE") || strings.Contains(text, "deny") || strings.Count(text, `"cotmoc.>"`) != 2 {
		t.Errorf("a subscriber may make consumers or publish, or it is not told by what may be done:\n%s", text)
	}
}

// TestPostgreSQL has PostgreSQL itself read its file.
func TestPostgreSQL(t *testing.T) {
	bin, err := pgd.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	text, err := files.File("postgresql.conf")
	if err != nil {
		t.Fatal(err)
	}
	settings := regexp.MustCompile(`(?m)^(\w+) = (\S+)$`).FindAllStringSubmatch(string(text), -1)
	if len(settings) < 7 {
		t.Errorf("%d settings were found", len(settings))
	}
	out, err := exec.Command(filepath.Join(bin, "postgres"), "--describe-config").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !bytes.Contains(append([]byte("\n"), out...), []byte("\n"+s[1]+"\t")) {
			t.Errorf("PostgreSQL has no setting %s", s[1])
		}
	}
}
