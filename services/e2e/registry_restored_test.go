package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// registryFiles reads the files of a registry's ledger.
func registryFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "registry.db*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no registry in %s: %v", dir, err)
	}
	files := map[string][]byte{}
	for _, n := range names {
		if files[n], err = os.ReadFile(n); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestRegistryRestoredFromAnOldBackup brings back a registry that knows less than the
// reporting service's copy, and then lets it write another history: the copy stays as
// it is, the service says why, and goes on when the right registry is back.
func TestRegistryRestoredFromAnOldBackup(t *testing.T) {
	dir := t.TempDir()
	r, end := upIn(t, dir)
	r.owe(t, tree()...)
	end()
	old := registryFiles(t, dir)
	r, end = upIn(t, dir)
	r.owe(t, target("cards", typev1.ValueKind_VALUE_KIND_COUNT, nil), target("points", typev1.ValueKind_VALUE_KIND_COUNT, nil))
	want := r.registryHead(t)
	follows(t, r, want)
	end()
	right := registryFiles(t, dir)

	put := func(files map[string][]byte) {
		t.Helper()
		for n := range registryFiles(t, dir) {
			if err := os.Remove(n); err != nil {
				t.Fatal(err)
			}
		}
		for n, b := range files {
			if err := os.WriteFile(n, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(old)
	r, end = upIn(t, dir)
	complains(t, r, "was the registry restored from a backup?")
	r.owe(t, target("others", typev1.ValueKind_VALUE_KIND_COUNT, nil), target("more", typev1.ValueKind_VALUE_KIND_COUNT, nil), target("most", typev1.ValueKind_VALUE_KIND_COUNT, nil))
	complains(t, r, "is not the one in the copy")
	if got := status(t, r).GetRegistryRevision(); got != want {
		t.Errorf("the copy went from revision %d to %d", want, got)
	}
	verify(t, r)
	end()

	put(right)
	r, _ = upIn(t, dir)
	r.owe(t, target("others", typev1.ValueKind_VALUE_KIND_COUNT, nil))
	follows(t, r, want+1)
	if p := status(t, r).GetRegistryProblem(); p != "" {
		t.Errorf("with the right registry: %s", p)
	}
	verify(t, r)
}

func follows(t *testing.T, r *rig, revision int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); status(t, r).GetRegistryRevision() < revision; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("at revision %d, not %d: %q", status(t, r).GetRegistryRevision(), revision, status(t, r).GetRegistryProblem())
		}
	}
}

func complains(t *testing.T, r *rig, of string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(status(t, r).GetRegistryProblem(), of); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("registry_problem is %q, want %q", status(t, r).GetRegistryProblem(), of)
		}
	}
}
