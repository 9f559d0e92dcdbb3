package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// TestNATSCommands: users are added to a file one by one, and a server that takes the
// accounts which are printed of it lets them in, and nobody else.
func TestNATSCommands(t *testing.T) {
	dir := t.TempDir()
	users, service := filepath.Join(dir, "users"), filepath.Join(dir, "service.nk")
	var out bytes.Buffer
	run := func(args ...string) error {
		out.Reset()
		return runArgs(t.Context(), &console{Out: &out, Err: &out}, append([]string{"nats"}, args...)...)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	must(run("user", "--users", users, "wall", "wall", "wall-progress"))
	contains(t, out.String(), "inbox _INBOX_wall", filepath.Join(dir, "wall.nk"))
	must(run("user", "--users", users, "press", "press"))
	for _, c := range []struct {
		want string
		args []string
	}{
		{"user wall is taken", []string{"wall", "other"}},
		{"subscription press is taken", []string{"other", "press"}},
		{"is not a name", []string{"a}", "a"}},
		{"is the service itself", []string{"service", "a"}},
		{"is not the name of a subscription", []string{"other", "cotmoc.>"}},
	} {
		if err := run(append([]string{"user", "--users", users}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
	must(run("accounts", "--users", users, "--service", service))
	first := out.String()
	must(run("accounts", "--users", users, "--service", service))
	if out.String() != first {
		t.Error("the service has another key the second time")
	}
	file := filepath.Join(dir, "nats.conf")
	must(os.WriteFile(file, []byte("listen: 127.0.0.1:-1\njetstream { max_memory_store: 256MB, max_file_store: 8TB, store_dir: "+dir+"/js }\n"+first), 0o600))
	options, err := server.ProcessConfigFile(file)
	must(err)
	options.NoSigs, options.NoLog = true, true
	s, err := server.NewServer(options)
	must(err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	for _, seed := range []string{service, filepath.Join(dir, "wall.nk"), filepath.Join(dir, "press.nk")} {
		key, err := nats.NkeyOptionFromSeed(seed)
		must(err)
		nc, err := nats.Connect(s.ClientURL(), key)
		must(err)
		nc.Close()
		if info, err := os.Stat(seed); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", seed, info.Mode(), err)
		}
	}
	if nc, err := nats.Connect(s.ClientURL()); err == nil {
		nc.Close()
		t.Error("a stranger comes in")
	}
}
