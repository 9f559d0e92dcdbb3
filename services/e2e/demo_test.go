package e2e_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDemo runs the demonstration as people do: it compares every figure itself and
// says so by its exit code.
func TestDemo(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), binary(t, "cotmoc"), "demo").CombinedOutput()
	if err != nil {
		t.Fatalf("cotmoc demo: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	t.Log(lines[len(lines)-1])
}
