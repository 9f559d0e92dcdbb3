package planted

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each bug can be planted: its place is in the source, and what stands there then is
// Go that compiles. That the rig finds them is run by hand, for it takes long.
func TestBugs_can_be_planted(t *testing.T) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cotmoc/cotmoc").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range Bugs() {
		t.Run(strings.ReplaceAll(b.Name, " ", "_"), func(t *testing.T) {
			overlay, err := b.plant(strings.TrimSpace(string(root)), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			build := exec.Command("go", "build", "-overlay", overlay, "./"+filepath.Dir(b.File))
			build.Dir = strings.TrimSpace(string(root))
			if out, err := build.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
