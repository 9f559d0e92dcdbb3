package privacy

import "bytes"

// providers are those whose name is enough: people leave out what follows.
var providers = map[string]bool{"gmail": true, "yahoo": true, "hotmail": true, "outlook": true, "icloud": true, "ymail": true}

// endings are those of domains that are told from words by them.
var endings = map[string]bool{"vn": true, "com": true, "net": true, "org": true, "gov": true, "edu": true, "info": true, "io": true, "me": true}

// mail reports whether there is an address of mail in plain text. masked says that
// words may stand for its signs.
func mail(s []byte, masked bool) bool {
	for i := range s {
		switch {
		case s[i] == '@':
			if address(s, i, i+1, false) {
				return true
			}
		case s[i] == '%' && i+3 <= len(s) && s[i+1] == '4' && s[i+2] == '0': // as links write it
			if address(s, i, i+3, false) {
				return true
			}
		case masked && s[i]|0x20 == 'a':
			if from, to := atInWords(s, i); to > from && address(s, from, to, true) {
				return true
			}
		}
	}
	return false
}

// atInWords finds the words for an at sign that begin with the letter at i: from where
// to where they go, with their brackets; nothing where they mean something else.
func atInWords(s []byte, i int) (from, to int) {
	end := 0
	for _, word := range []string{"at", "a cong", "a-cong", "acong"} {
		if hasFold(s[i:], word) && !letterAt(s, i+len(word)) {
			end = i + len(word)
		}
	}
	if end == 0 || i == 0 || end == len(s) || letter(s[i-1]) || digit(s[i-1]) {
		return 0, 0
	}
	from, to = i-1, end+1
	opened, closed := bytes.IndexByte([]byte("([{<"), s[from]) >= 0, bytes.IndexByte([]byte(")]}>"), s[end]) >= 0
	blanks := s[from] == ' ' && s[end] == ' '
	if !(opened && closed) && !blanks {
		return 0, 0
	}
	return from, to
}

// address reports whether an at sign from from to to stands in an address.
func address(s []byte, from, to int, words bool) bool {
	left := from
	spaced := words
	if !words && from > 0 && bytes.IndexByte([]byte("([{<"), s[from-1]) >= 0 && to < len(s) && bytes.IndexByte([]byte(")]}>"), s[to]) >= 0 {
		left, to, spaced = from-1, to+1, true // a sign in brackets
	}
	for left > 0 && s[left-1] == ' ' && from-left < 3 {
		left--
	}
	if left == 0 || !alnum(s[left-1]) && s[left-1] != '_' && s[left-1] != '.' && s[left-1] != '-' && s[left-1] != '+' {
		return false
	}
	apart := left < from
	right := to
	for right < len(s) && s[right] == ' ' && right-to < 2 {
		right++
	}
	d := domainAt(s, right)
	switch {
	case d.labels == 0:
		return false
	case providers[d.first]:
		return !words || d.labels > 1
	case words && s[from] == ' ' && !d.dotted && s[to-1] == ' ': // "look at example.vn"
		return d.labels > 1 && endings[d.last] && hasCong(s[from:to])
	case words || spaced || d.dotted:
		return d.labels > 1 && endings[d.last]
	case apart && right == to: // "see @example.vn"
		return false
	}
	return d.labels > 1 && d.ended
}

func hasCong(s []byte) bool { return len(s) > len(" at ") }

// domain is what stands behind an at sign.
type domain struct {
	labels      int
	first, last string
	dotted      bool // a word stands for a dot
	ended       bool // the last label is one that a domain may end with
}

// domainAt reads a domain.
func domainAt(s []byte, i int) (d domain) {
	for {
		from, letters := i, 0 // how many it begins with
		for i < len(s) && (alnum(s[i]) || s[i] == '-') {
			if letter(s[i]) && letters == i-from {
				letters++
			}
			i++
		}
		if i == from || i-from > 63 {
			return d
		}
		label := string(bytes.ToLower(s[from:i]))
		if d.labels == 0 {
			d.first = label
		}
		d.labels++
		d.last = label
		d.ended = d.ended || d.labels > 1 && letters >= 2 && (from+letters == i || s[from+letters] == '-')
		var word bool
		if i, word = dotAt(s, i); i == 0 {
			return d
		}
		if word && !endsDomain(s[i:]) {
			return d
		}
		d.dotted = d.dotted || word
	}
}

// endsDomain reports whether a text begins with a label that is told by itself.
func endsDomain(s []byte) bool {
	n := 0
	for n < len(s) && n < 8 && alnum(s[n]) {
		n++
	}
	return endings[string(bytes.ToLower(s[:n]))]
}

// dotAt finds a dot, or what stands for it, and where the next label begins; 0 for none.
func dotAt(s []byte, i int) (next int, word bool) {
	if i+1 < len(s) && s[i] == '.' && alnum(s[i+1]) {
		return i + 1, false
	}
	if i == len(s) || bytes.IndexByte([]byte(" [({"), s[i]) < 0 {
		return 0, false
	}
	for _, dot := range []string{" . ", " ."} {
		if hasFold(s[i:], dot) && i+len(dot) < len(s) && alnum(s[i+len(dot)]) {
			return i + len(dot), !endsDomain(s[i+len(dot):])
		}
	}
	for _, dot := range []string{" dot ", " cham ", "[dot]", "(dot)", "{dot}", "(cham)", "[cham]", "(.)", "[.]", " [dot] ", " (dot) "} {
		if hasFold(s[i:], dot) {
			return i + len(dot), true
		}
	}
	return 0, false
}

// hasFold reports whether s begins with a word in lower case, whatever its own case.
func hasFold(s []byte, word string) bool {
	return len(s) >= len(word) && bytes.EqualFold(s[:len(word)], []byte(word))
}

func letterAt(s []byte, i int) bool { return i < len(s) && letter(s[i]) }
