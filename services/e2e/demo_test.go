package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	files "github.com/cotmoc/cotmoc/deploy/demo"
	"github.com/cotmoc/cotmoc/services/internal/cluster"
)

// demo runs `cotmoc demo` and returns what it tells, without what differs from run to
// run: addresses, times, and hashes of events that hold times.
func demo(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t, "cotmoc"), append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("cotmoc demo: %v\n%s\n%s", err, errs.String(), out.String())
	}
	text := regexp.MustCompile(`(?m)^(time|took|a scratch instance|services that run) .*\n`).ReplaceAllString(out.String(), "")
	text = regexp.MustCompile(`after another \d+ ms`).ReplaceAllString(text, "after another … ms")
	text = regexp.MustCompile(`head [0-9a-f]{16}`).ReplaceAllString(text, "head …")
	return regexp.MustCompile(`(checked up to event \d+) in .*`).ReplaceAllString(text, "$1")
}

// TestDemoDistributed plays the demo on one process with SQLite, and on two replicas
// of each service with PostgreSQL, a NATS cluster and certificates: it tells the same.
func TestDemoDistributed(t *testing.T) {
	play, err := files.ReadPlay()
	must(t, err)
	embedded := demo(t, nil)
	if !strings.Contains(embedded, "43 of 43 as published") {
		t.Errorf("embedded:\n%s", embedded)
	}
	k, err := cluster.Start(t.Context(), cluster.Config{Bin: binaryFolder(t), ManualClock: true, Begin: play.Setup.Time})
	must(t, err)
	t.Cleanup(func() { must(t, k.Close()) })
	env, err := k.Env("demo")
	must(t, err)
	began := time.Now()
	if diff := cmp.Diff(embedded, demo(t, env, "--running")); diff != "" {
		t.Errorf("the demo tells another story (-embedded +distributed):\n%s", diff)
	}
	t.Logf("the demo took %v on the distributed form", time.Since(began).Round(time.Millisecond))
}
