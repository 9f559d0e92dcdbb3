package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
)

// ends is what a command prints of a ledger's head, without the name before it.
var ends = regexp.MustCompile(`ends with entry \d+ of \S+, epoch \d+, level \d+\nchain hash [0-9a-f]{64}\n`)

func TestBackupAndRestoreOfARunningPair(t *testing.T) {
	p := monitored(t)
	ledger := func(service string) string { return filepath.Join(p.dir, "state", service+".db") }
	file := func(service string) string { return filepath.Join(p.dir, service+".backup") }
	heads := map[string]string{}
	for _, service := range []string{"reporting", "registry"} {
		out := p.must("backup", "--from", ledger(service), "--out", file(service))
		if heads[service] = ends.FindString(out); heads[service] == "" {
			t.Fatalf("printed %q", out)
		}
		contains(t, p.must("backup", "verify", file(service)), heads[service])
	}
	contains(t, p.refused("backup", "create", "--from", ledger("registry"), "--out", file("registry")), "is there already")
	contains(t, p.refused("backup", "--from", ledger("none"), "--out", file("none")), "there is no ledger")
	contains(t, p.refused("backup", "--from", ledger("registry"), "--password-file", "x", "--out", file("none")), "--password-file goes with")
	contains(t, p.refused("backup", "--extend", "--from", ledger("registry"), "--out", file("reporting")), "of another ledger")
	figure := p.must("status", "p")

	p.submit("26003", "2022-M07", "1")
	restored := filepath.Join(p.dir, "restored")
	if err := os.Mkdir(restored, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"registry", "reporting"} {
		to := filepath.Join(restored, service+".db")
		contains(t, p.must("restore", file(service), "--to", to), heads[service])
		contains(t, p.refused("restore", file(service), "--to", to), "is there already")
	}
	if left, _ := filepath.Glob(filepath.Join(restored, "*part*")); left != nil {
		t.Errorf("left over: %v", left)
	}
	second, err := embedded.Up(context.Background(), embedded.Config{Dir: restored, Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0", ManualClock: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close(context.Background()) })
	q := &pair{t: t, process: second, dir: p.dir}
	if got := q.must("status", "p"); got != figure {
		t.Errorf("the figures at the backup's head:\n%s\nrestored:\n%s", figure, got)
	}
	contains(t, q.must("doctor"), "OK      chain", "OK      totals")

	out := p.must("backup", "--extend", "--from", ledger("reporting"), "--out", file("reporting"))
	contains(t, out, "was at entry ")
	if strings.Contains(out, heads["reporting"]) {
		t.Errorf("nothing was added: %s", out)
	}
	cutShort(t, p, file("reporting"), heads["reporting"])
	damaged(t, p, file("reporting"))
}

// cutShort takes the last byte off an extended backup, as when the machine was lost.
func cutShort(t *testing.T, p *pair, path, before string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cut, to := path+".cut", filepath.Join(p.dir, "cut.db")
	if err := os.WriteFile(cut, data[:len(data)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, p.refused("restore", cut, "--to", to), "cut short")
	contains(t, p.must("restore", cut, "--to", to, "--to-last-end"), before)
}

// damaged changes a byte in the middle of a backup.
func damaged(t *testing.T, p *pair, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 4
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, p.refused("backup", "verify", path), "backup after entry ", "damaged")
	to := filepath.Join(p.dir, "never.db")
	contains(t, p.refused("restore", path, "--to", to), "backup after entry ", "damaged")
	if all, _ := filepath.Glob(to + "*"); all != nil {
		t.Errorf("left over: %v", all)
	}
}

func TestEventsCommandsOnARunningPair(t *testing.T) {
	p := monitored(t)
	ctx := context.Background()
	s, err := (&target{RegistryAddr: p.process.Addr, ReportingAddr: p.process.Addr}).dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.events().EnsureSubscription(ctx, &reportingv1.EnsureSubscriptionRequest{Subscription: "screen", Subjects: []string{"cotmoc.p.submission.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.events().PutDeadLetter(ctx, &reportingv1.PutDeadLetterRequest{Subscription: "screen", Sequence: 3, Error: "no such column", Attempts: 5}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(row(t, p.must("events", "subscriptions"), "screen"), "|"); got != "screen|0|3|0|1|cotmoc.p.submission.>" {
		t.Error(got)
	}
	contains(t, p.must("events", "dead-letters", "screen"), "event 3  cotmoc.", "tried 5 times", "no such column")
	contains(t, p.must("events", "dead-letters", "screen", "--json"), `"sequence":"3"`, `"attempts":5`)
	contains(t, p.must("events", "unsubscribe", "screen"), "ended subscription screen")
	contains(t, p.refused("events", "unsubscribe", "screen"), "SUBSCRIPTION_NOT_FOUND")
	if got := p.must("events", "dead-letters", "screen"); got != "" {
		t.Error(got)
	}
}

func TestWatchLeavesNoSubscriptionBehind(t *testing.T) {
	p := monitored(t)
	p.watch(1, "--programme", "p", "--from-sequence", "0")
	p.watch(1, "--subject", "cotmoc.p.progress.>", "--from-sequence", "0")
	if got := p.must("events", "subscriptions"); bytes.Count([]byte(got), []byte("\n")) != 1 {
		t.Errorf("left over:\n%s", got)
	}
	p.watch(1, "--subject", "cotmoc.p.submission.>", "--from-sequence", "0", "--subscription", "mine")
	contains(t, p.must("events", "subscriptions"), "mine")
}

func TestRestoreIntoPostgreSQLAndBack(t *testing.T) {
	p := monitored(t)
	server, err := pgd.Start(t.Context(), pgd.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := server.NewDatabase(t.Context(), "restored")
	if err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(p.dir, "first"), filepath.Join(p.dir, "second")
	head := ends.FindString(p.must("backup", "--from", filepath.Join(p.dir, "state", "reporting.db"), "--out", first))
	contains(t, p.must("restore", first, "--to", db.App), head)
	contains(t, p.must("backup", "--from", db.App, "--out", second), head)
	a, errA := os.ReadFile(first)
	b, errB := os.ReadFile(second)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the backup of what was restored is another: %v, %v", errA, errB)
	}
	if got := p.refused("restore", first, "--to", db.App); !strings.Contains(got, "not empty") || strings.Contains(got, "drop it") {
		t.Errorf("into a database with entries: %s", got)
	}
}
