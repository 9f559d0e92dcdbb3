// Package privacy finds what gives a citizen away in text that is meant for others:
// identity numbers, telephone numbers and addresses of mail, in the spellings people
// use. Amounts, dates, numbers of documents, accounts and links pass.
//
// It guards against mistakes, not against people who want to get round it. What it
// decides is a table of examples in its tests; a rule that no example needs is not here.
package privacy

import "unicode/utf8"

// Kind is what a text gives away.
type Kind uint8

// The kinds. None is that of a text that may be kept.
const (
	None Kind = iota
	Identity
	Telephone
	Mail
)

// String says in words what was found, to go after "seems to hold".
func (k Kind) String() string {
	switch k {
	case Identity:
		return "an identity number"
	case Telephone:
		return "a telephone number"
	case Mail:
		return "an e-mail address"
	}
	return "nothing personal"
}

// leastDigits is how many digits the shortest number has that is looked for.
const leastDigits = 8

// InText tells what a text of people gives away.
func InText(text string) Kind { return find(text, false) }

// InID tells what an id gives away that a program made. Ids are full of digits that
// mean nothing, so only a number that stands by itself counts.
func InID(id string) Kind {
	if isUUID(id) { // as most are
		return None
	}
	return find(id, true)
}

// InNumber tells what a number that is reported as text gives away. No amount begins
// with a zero and goes on for long.
func InNumber(text string) Kind {
	if len(text) < leastDigits || text[0] != '0' {
		return None
	}
	return find(text, false)
}

func find(text string, id bool) Kind {
	l := look(text)
	if l.digits < leastDigits && !l.at && !l.words {
		return None
	}
	s := plain(text)
	if l.at || l.words {
		if mail(s, l.words) {
			return Mail
		}
	}
	if l.digits >= leastDigits {
		return (&scan{text: s, id: id}).find()
	}
	return None
}

// glance is what a first look at a text shows: most texts need no second one.
type glance struct {
	digits int
	at     bool // there is an at sign
	words  bool // there may be words in place of one
}

func look(s string) (l glance) {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			i += n
			switch {
			case r == 'ò' || r == 'Ò': // as in "a còng"
				l.words = true
			case !shown(r): // it may be a digit or an at sign of another script
				l.digits, l.at = l.digits+1, true
			}
			continue
		}
		i++
		switch {
		case c-'0' < 10:
			l.digits++
		case c == '@' || c == '%': // a percent sign may write one in a link
			l.at = true
		case c|0x20 == 't' && i >= 3 && s[i-2]|0x20 == 'a' && !letter(s[i-3]):
			l.words = true
		}
	}
	return l
}

// shown reports whether a rune is nothing but what it looks like: a letter of a Latin
// alphabet, a mark or a common sign.
func shown(r rune) bool {
	switch {
	case r >= 0xC0 && r <= 0x36F, r >= 0x1E00 && r <= 0x1EFF, r >= 0x2010 && r <= 0x2027 && r != 0x2024:
		return true
	case r == 0xA0, r == 0xA7, r == 0xAB, r == 0xB0, r == 0xB7, r == 0xBB, r == 0x20AB:
		return true
	}
	return false
}
