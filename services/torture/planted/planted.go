// Package planted puts known defects into the product, in copies that only a build
// sees, and lets the rig find them: a checker is believed only after it has caught one.
package planted

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Bug is a defect and who has to notice it.
type Bug struct {
	Name string
	// File is the source, below the module, in which Old is replaced by New.
	File, Old, New string
	Args           []string // of the rig, beside seed and folders
	Caught         string   // what the rig says of it, at least one of the words between bars
}

// Bugs are those that the rig can show. Others are caught by tests of their own: SQL
// without ON CONFLICT, a foreign unit that is accepted, and two that mend themselves
// before the rig looks, a hole in the stream and a gap that a subscriber takes for the next.
func Bugs() []Bug {
	rounds := []string{"--part=rounds", "--rounds=3", "--communes=60"}
	return []Bug{
		{"the relay expects no sequence", "services/internal/stream/pipe.go",
			"	header[nats.ExpectedLastSeqHdr] = []string{strconv.FormatUint(n-1, 10)}\n", "",
			rounds, "stream|not at rest"},
		{"the relay changes an event", "services/internal/stream/pipe.go",
			"	if header == nil {", "	if n%97 == 0 {\n		e.Data = append(append([]byte(nil), e.Data...), 0x98, 0x06, 1)\n	}\n	if header == nil {",
			rounds, "other bytes|is not event|not at rest"},
		{"answered before the append", "services/internal/ledger/writer.go",
			"		err = e.append(b)\n", "		e.answer(n, b.First, nil)\n		n = 0\n		err = e.append(b)\n",
			rounds, "is lost|is stored for|have no order|is in the log"},
		{"an old revision wins", "services/reporting/book/submit.go",
			"	if cell.rev != s.ExpectedRevision {", "	if cell.rev < s.ExpectedRevision {",
			[]string{"--part=rounds", "--rounds=3", "--only=kill -9 registry", "--communes=60"}, "have no order"},
		{"a milestone is told again", "services/reporting/book/milestone.go",
			"reached != state.reached(t) {", "reached != state.reached(t) || reached && sum.Num%7 == 0 {",
			rounds, "follows from nothing|should be"},
		{"a replica overlooks what another wrote", "services/internal/ledger/settle.go",
			"	for i, en := range b.Entries {", "	for i, en := range b.Entries {\n		if b.First%11 == 0 && i == len(b.Entries)-1 && i > 0 {\n			break\n		}",
			rounds, "does not serve|does not hold|by the API|at rest|have no order"},
		{"a replica answers one event below what is asked", "services/internal/ledger/read.go",
			"	if e.Head().Sequence < minSequence {\n		if err := e.reach(ctx, minSequence); err != nil {",
			"	if e.Head().Sequence+1 < minSequence {\n		if err := e.reach(ctx, minSequence-1); err != nil {",
			[]string{"--part=rounds", "--rounds=3", "--only=kill -9 registry", "--communes=60"}, "have no order|was answered as of"},
		{"SQLite does not sync", "services/internal/ledger/sqlite/sqlite.go",
			`connect(s.path, "_pragma=synchronous(FULL)")`, `connect(s.path, "_pragma=synchronous(NORMAL)")`,
			[]string{"--part=power", "--short", "--communes=60"}, "is lost|no place|not at rest"},
	}
}

// within bounds the hunt for one bug.
const within = 8 * time.Minute

// Hunt plants each bug whose name contains a text, builds the programs and the rig
// with it, and runs that rig, which must fail and say why. What it said is in dir.
func Hunt(ctx context.Context, dir, text string, seed uint64, out io.Writer) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/cotmoc/cotmoc").Output()
	if err != nil {
		return fmt.Errorf("where the module is: %w", err)
	}
	var missed []error
	for i, b := range Bugs() {
		if !strings.Contains(b.Name, text) {
			continue
		}
		at := filepath.Join(dir, fmt.Sprint(i))
		if err := os.MkdirAll(at, 0o711); err != nil {
			return err
		}
		began := time.Now()
		said, err := b.hunt(ctx, strings.TrimSpace(string(root)), at, seed)
		if err != nil {
			missed = append(missed, fmt.Errorf("%s: %w", b.Name, err))
			fmt.Fprintf(out, "  NOT CAUGHT: %s: %v\n", b.Name, err)
			continue
		}
		fmt.Fprintf(out, "  caught in %v: %s: %s\n", time.Since(began).Round(time.Second), b.Name, said)
	}
	return errors.Join(missed...)
}

// hunt returns the words in which the rig noticed the bug.
func (b Bug) hunt(ctx context.Context, root, dir string, seed uint64) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	overlay, err := b.plant(root, dir)
	if err != nil {
		return "", err
	}
	const ours = "github.com/cotmoc/cotmoc/services/"
	bin := filepath.Join(dir, "bin")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "failpoint", "-overlay", overlay, "-o", bin+string(filepath.Separator),
		ours+"cmd/cotmoc", ours+"cmd/cotmoc-registry", ours+"cmd/cotmoc-reporting", ours+"torture", "github.com/nats-io/nats-server/v2")
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, said)
	}
	args := append([]string{fmt.Sprintf("--seed=%d", seed), "--bin=" + bin, "--dir=" + filepath.Join(dir, "run")}, b.Args...)
	rig := exec.CommandContext(ctx, filepath.Join(bin, "torture"), args...)
	rig.Cancel = func() error { return rig.Process.Signal(os.Interrupt) }
	said, err := rig.CombinedOutput()
	if w := os.WriteFile(filepath.Join(dir, "said.txt"), said, 0o600); w != nil {
		return "", w
	}
	if err == nil {
		return "", errors.New("the rig was content")
	}
	for word := range strings.SplitSeq(b.Caught, "|") {
		if at := strings.Index(string(said), word); at >= 0 {
			return line(string(said), at), nil
		}
	}
	return "", fmt.Errorf("the rig failed for another reason, see %s", filepath.Join(dir, "said.txt"))
}

// line is the line of a text that holds a place.
func line(text string, at int) string {
	from := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[from:], "\n")
	return strings.TrimSpace(line[:min(len(line), 200)])
}

// plant writes the changed source and the overlay that puts it in.
func (b Bug) plant(root, dir string) (string, error) {
	path := filepath.Join(root, filepath.FromSlash(b.File))
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if strings.Count(string(source), b.Old) != 1 {
		return "", fmt.Errorf("%s does not hold once what is to be replaced: %q", b.File, b.Old)
	}
	bad := filepath.Join(dir, "bad.go")
	if err := os.WriteFile(bad, []byte(strings.Replace(string(source), b.Old, b.New, 1)), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: bad}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
