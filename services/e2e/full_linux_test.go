package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
)

// TestFullDisk lets the disk under `cotmoc up` fill: readiness and a metric say so,
// reads go on, who submits is told why it waits and gives up in time; and all is well
// again once there is room, without a restart and without a write that finds out.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "small")
	must(t, os.Mkdir(dir, 0o700))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		fmt.Fprintln(os.Stderr, "NOT RUN: TestFullDisk needs to mount a small file system, which only root may:", err)
		return
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	calls, metrics := freePort(t), freePort(t)
	p := launch(t, "cotmoc", "up", "--dir", filepath.Join(dir, "state"), "--listen", calls, "--metrics-listen", metrics, "--nats-listen", "",
		"--clock=manual", "--start", start.Format(time.RFC3339))
	serving(t, p, calls)
	r := clients(t, calls, calls)
	r.apart = true
	monthly(t, r)
	r.at(t, time.Date(2022, 2, 3, 9, 0, 0, 0, start.Location()))
	if code, text := fetched(t, metrics, "/readyz"); code != http.StatusOK || !strings.Contains(text, "room in the reporting ledger: ok") {
		t.Fatalf("at first: %d\n%s", code, text)
	}

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	submit := func(maxTime string) (string, error) {
		c := exec.Command(binary(t, "cotmoc"), "submit", "--registry", calls, "--reporting", calls, "--programme", "p", "--target", "cards",
			"--unit", "26734", "--period", "2022-M01", "--count", "5", "--max-time", maxTime)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	began := time.Now()
	out, err := submit("3s")
	if err == nil || !strings.Contains(out, "attempt 1: UNAVAILABLE: the log has no room; nothing was stored; trying again") ||
		!strings.Contains(out, "given up after 3s") || !strings.Contains(out, "--request-id") || time.Since(began) > 20*time.Second {
		t.Errorf("submit said, after %v: %v\n%s", time.Since(began), err, out)
	}
	if n := strings.Count(out, "attempt"); n != 1 {
		t.Errorf("the same reason was told %d times:\n%s", n, out)
	}
	if code, text := fetched(t, metrics, "/readyz"); code != http.StatusServiceUnavailable ||
		!strings.Contains(text, "room in the reporting ledger: ledger: no space left for the log since ") {
		t.Errorf("while the disk is full: %d\n%s", code, text)
	}
	for _, want := range []string{`cotmoc_ledger_writes_refused{service="reporting"} 1`, `cotmoc_ledger_store_reachable{service="reporting"} 1`} {
		if _, text := fetched(t, metrics, "/metrics"); !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if got := health(t, grpc_health_v1.NewHealthClient(dial(t, calls)), ""); got != "SERVING" {
		t.Errorf("reads are answered, and health says %s", got)
	}
	status(t, r)

	must(t, os.Remove(ballast))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		code, text := fetched(t, metrics, "/readyz")
		if code == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("there is room again: %d\n%s\n%s", code, text, p.log)
		}
	}
	if _, text := fetched(t, metrics, "/metrics"); !strings.Contains(text, `cotmoc_ledger_writes_refused{service="reporting"} 0`) {
		t.Error("the metric does not go back")
	}
	if out, err := submit("30s"); err != nil {
		t.Errorf("with room again: %v\n%s", err, out)
	}
	p.stop(t)
	for _, want := range []string{"the store has no room", "the store has room again"} {
		if n := bytes.Count(p.log.Bytes(), []byte(want)); n != 1 {
			t.Errorf("the log says %d times %q", n, want)
		}
	}
}

// fill leaves no room on the disk of a file.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	for piece := make([]byte, 4096); err == nil; {
		_, err = f.Write(piece)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	must(t, f.Close())
}

// fetched is what a metrics port answers.
func fetched(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + addr + path)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}
