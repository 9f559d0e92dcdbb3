package show

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// usualWidth is how wide a terminal is taken to be that does not tell.
const usualWidth = 100

// Width is how many characters a line of w has: for a terminal what COLUMNS says,
// else what the terminal does; 0, for no bound, for whatever is no terminal.
func Width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
		return n
	}
	return usualWidth
}

// TextWidth is how many characters of a terminal a text takes: marks that join the
// letter before take none, wide letters of East Asia two.
func TextWidth(text string) int {
	n := 0
	for _, r := range text {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	if r < 0x300 { // all that Vietnamese needs and is composed of, and no mark
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// line is a text as it may stand in a cell: composed, so that a letter and its
// marks are one, and on one line, whatever it holds.
func line(text string) string {
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
}

// cut shortens a text to a width, and ends it in … when something is left out.
func cut(text string, most int) string {
	if TextWidth(text) <= most {
		return text
	}
	n := 0
	for i, r := range text {
		if n += runeWidth(r); n > most-1 {
			return strings.TrimRight(text[:i], " ") + "…"
		}
	}
	return text
}
