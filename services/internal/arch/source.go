package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
)

// Longest allowed, in lines. Functions of tests may be longer.
const (
	MaxFunctionLines = 60
	MaxFileLines     = 400
	MaxTestFileLines = 800
)

// emptyNames are package names that say nothing about what is inside.
var emptyNames = []string{
	"util", "utils", "common", "helper", "helpers", "shared", "base", "types", "models", "interfaces", "misc",
}

// Source is a Go file that people wrote.
type Source struct {
	Path string // relative to the root, with slashes
	Text []byte
}

func (s Source) test() bool { return strings.HasSuffix(s.Path, "_test.go") }

// CheckSources returns every breach of the rules about files, functions and packages.
func CheckSources(sources []Source) ([]Violation, error) {
	var found []Violation
	documented := make(map[string]bool)
	fset := token.NewFileSet()
	for _, s := range sources {
		f, err := parser.ParseFile(fset, s.Path, s.Text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", s.Path, err)
		}
		if ast.IsGenerated(f) {
			continue
		}
		dir := path.Dir(s.Path)
		documented[dir] = documented[dir] || isPackageDoc(f)
		found = append(found, checkFile(s, f)...)
		found = append(found, checkFunctions(s, f, fset)...)
		if s.test() {
			found = append(found, checkTests(s, f, fset)...)
		}
	}
	for dir, ok := range documented {
		if !ok {
			found = append(found, Violation{"every package has a doc comment", dir, "none"})
		}
	}
	slices.SortFunc(found, func(a, b Violation) int { return strings.Compare(a.String(), b.String()) })
	return found, nil
}

func isPackageDoc(f *ast.File) bool {
	text := f.Doc.Text()
	if f.Name.Name == "main" {
		return text != ""
	}
	return strings.HasPrefix(text, "Package "+strings.TrimSuffix(f.Name.Name, "_test")+" ")
}

func checkFile(s Source, f *ast.File) []Violation {
	var found []Violation
	most := MaxFileLines
	if s.test() {
		most = MaxTestFileLines
	}
	if n := bytes.Count(s.Text, []byte("\n")); n > most {
		found = append(found, Violation{
			"files have at most 400 lines, tests 800", s.Path, fmt.Sprintf("%d lines", n),
		})
	}
	if slices.Contains(emptyNames, strings.TrimSuffix(f.Name.Name, "_test")) {
		found = append(found, Violation{"a package's name says what is inside", s.Path, "package " + f.Name.Name})
	}
	return found
}

func checkFunctions(s Source, f *ast.File, fset *token.FileSet) []Violation {
	if s.test() {
		return nil
	}
	var found []Violation
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first, last := fset.Position(fn.Pos()).Line, fset.Position(fn.End()).Line
		where := fmt.Sprintf("%s:%d", s.Path, first)
		if n := last - first + 1; n > MaxFunctionLines {
			found = append(found, Violation{
				"functions have at most 60 lines", where, fmt.Sprintf("%s has %d", fn.Name.Name, n),
			})
		}
		if fn.Recv == nil && fn.Name.Name == "init" {
			found = append(found, Violation{"no work in init", where, "func init"})
		}
	}
	return found
}

func checkTests(s Source, f *ast.File, fset *token.FileSet) []Violation {
	var found []Violation
	for _, group := range f.Comments {
		for _, c := range group.List {
			if constraint.IsGoBuild(c.Text) || constraint.IsPlusBuild(c.Text) {
				found = append(found, Violation{
					"no test hides behind a build tag", fmt.Sprintf("%s:%d", s.Path, fset.Position(c.Pos()).Line), c.Text,
				})
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow", "Short"}, sel.Sel.Name) {
			found = append(found, Violation{
				"no test is skipped", fmt.Sprintf("%s:%d", s.Path, fset.Position(sel.Pos()).Line), sel.Sel.Name,
			})
		}
		return true
	})
	return found
}
