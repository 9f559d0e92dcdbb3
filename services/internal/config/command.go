package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Misuse is the error of a command line that cannot be read, with where its help is.
func Misuse(program string, err error) error {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		for _, step := range parse.Context.Path {
			if step.Command != nil {
				program += " " + step.Command.Name
			}
		}
	}
	return fmt.Errorf("%w (see %s --help)", err, program)
}

// Gather puts what stands between and behind flags together at the end, as a parser
// takes a list of arguments in one piece only. Names of commands stay in front.
func Gather(app *kong.Application, args []string) []string {
	node, front, behind := app.Node, []string{}, []string{}
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			return append(append(append(front, a), behind...), args[i+1:]...)
		case strings.HasPrefix(a, "-") && a != "-":
			front = append(front, a)
			if i+1 < len(args) && wantsValue(node, a) {
				i++
				front = append(front, args[i])
			}
		default:
			if next := child(node, a); next != nil && len(behind) == 0 {
				node, front = next, append(front, a)
				continue
			}
			behind = append(behind, a)
		}
	}
	return append(front, behind...)
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Type == kong.CommandNode && c.Name == name {
			return c
		}
	}
	return nil
}

// wantsValue reports whether the argument behind a flag is its value.
func wantsValue(node *kong.Node, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	for _, group := range node.AllFlags(false) {
		for _, f := range group {
			if arg == "--"+f.Name || f.Short != 0 && arg == "-"+string(f.Short) {
				return !f.IsBool() && !f.IsCounter()
			}
		}
	}
	return false
}
