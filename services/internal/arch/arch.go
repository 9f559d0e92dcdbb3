// Package arch holds the rules of ARCHITECTURE.md that a machine can check: who
// may import whom, how long a function or a file may be, what a package may be
// called. Its tests run them over the whole tree.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is the path of the root module; the module of the contracts lies below it.
const Module = "github.com/cotmoc/cotmoc"

// Violation is one breach of one rule.
type Violation struct {
	Rule  string // the rule, in words
	Where string // package or file with line
	What  string // what was found there
}

// String tells it on one line.
func (v Violation) String() string { return v.Where + ": " + v.What + " (" + v.Rule + ")" }

// Package is one of our packages as the go command sees it. Paths within our
// modules are relative to Module, such as `services/registry/book`; all others
// are import paths.
type Package struct {
	Path         string
	Imports      []string // of its own files, tests apart
	TestImports  []string // of its tests
	Deps         []string // all that is linked with it, tests apart
	IgnoredFiles []string // files that this build leaves out
}

// Packages lists our packages below root, the folder of go.work. It needs no network.
func Packages(root string) ([]Package, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps,IgnoredGoFiles",
		Module+"/...", Module+"/proto/...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w: %s", err, stderr.String())
	}
	return decodePackages(bytes.NewReader(out))
}

func decodePackages(r io.Reader) ([]Package, error) {
	var packages []Package
	seen := make(map[string]bool)
	for dec := json.NewDecoder(r); ; {
		var p struct {
			ImportPath                                               string
			Imports, TestImports, XTestImports, Deps, IgnoredGoFiles []string
		}
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		if seen[p.ImportPath] {
			continue
		}
		seen[p.ImportPath] = true
		packages = append(packages, Package{
			Path:         relative(p.ImportPath),
			Imports:      allRelative(p.Imports),
			TestImports:  allRelative(append(p.TestImports, p.XTestImports...)),
			Deps:         allRelative(p.Deps),
			IgnoredFiles: p.IgnoredGoFiles,
		})
	}
}

func relative(path string) string { return strings.TrimPrefix(path, Module+"/") }

func allRelative(paths []string) []string {
	short := make([]string, len(paths))
	for i, p := range paths {
		short[i] = relative(p)
	}
	return short
}

// Sources yields the path, relative to root, of each Go file that people wrote.
func Sources(root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			return skipFolder(rel, d.Name())
		}
		if strings.HasSuffix(rel, ".go") {
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk the tree: %w", err)
	}
	return files, nil
}

// skipFolder leaves out what git ignores, what is generated and what only tests read.
func skipFolder(rel, name string) error {
	if rel == "." {
		return nil
	}
	switch {
	case rel == "bin", rel == "dist", rel == "var", rel == "proto/gen", name == "testdata", name[0] == '.':
		return filepath.SkipDir
	}
	return nil
}
