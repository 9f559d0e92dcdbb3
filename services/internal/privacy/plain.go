package privacy

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What stands in plain text for a letter and a sign that ASCII has not.
const (
	otherLetter = 0x80
	otherSign   = 0x81
)

// plain writes a text in a few signs: digits of all scripts and widths as ASCII ones,
// letters without marks, dashes and blanks of one kind each, nothing that cannot be
// seen. Lines stay apart.
func plain(s string) []byte {
	out := make([]byte, 0, len(s))
	if ascii(s) {
		return append(out, s...)
	}
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			out, i = append(out, c), i+1
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r < rune(len(latin)) && latin[r] != 0 {
			out = append(out, latin[r])
			continue
		}
		out = appendPlain(out, r)
	}
	return out
}

// latin is the sign for each letter that is an ASCII letter with marks.
var latin = func() (table [0x1F00]byte) {
	for r := rune(0xC0); r < rune(len(table)); r++ {
		if out := appendPlain(nil, r); len(out) == 1 && letter(out[0]) {
			table[r] = out[0]
		}
	}
	return table
}()

// appendPlain appends what stands for a rune that is not ASCII.
func appendPlain(out []byte, r rune) []byte {
	for _, part := range norm.NFKD.String(string(r)) {
		if part < utf8.RuneSelf {
			out = append(out, byte(part))
		} else if c := plainRune(part); c != 0 {
			out = append(out, c)
		}
	}
	return out
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// plainRune is the sign that stands for a rune; 0 for none.
func plainRune(r rune) byte {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r == 'đ', r == '₫':
		return 'd'
	case r == 'Đ':
		return 'D'
	case unicode.IsLetter(r):
		return otherLetter
	case unicode.Is(unicode.Nd, r):
		return '0' + digitOf(r)
	case unicode.IsSpace(r):
		return ' '
	case unicode.Is(unicode.Pd, r), r == '\u2212':
		return '-'
	case r == '·', r == '•', r == '∙', r == '・':
		return '.'
	case r == '\u2044', r == '\u2215':
		return '/'
	}
	return otherSign
}

// digitOf is the value of a decimal digit. Those of a script follow each other from
// zero, and so do the scripts within a range.
func digitOf(r rune) byte {
	for _, in := range unicode.Nd.R16 {
		if r <= rune(in.Hi) {
			return byte((r - rune(in.Lo)) % 10)
		}
	}
	for _, in := range unicode.Nd.R32 {
		if r <= rune(in.Hi) {
			return byte((r - rune(in.Lo)) % 10)
		}
	}
	return 0
}

func digit(c byte) bool { return c-'0' < 10 }

func letter(c byte) bool { return c|0x20-'a' < 26 || c == otherLetter }

func alnum(c byte) bool { return digit(c) || letter(c) }
