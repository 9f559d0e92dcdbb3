package privacy

import "bytes"

// inLink reports whether what is at i stands in a link.
func (s *scan) inLink(i int) bool {
	if i >= s.linkEnd {
		s.nextLink(i)
	}
	return s.link <= i && i < s.linkEnd
}

// nextLink finds the link that holds i, or says that there is none up to the next blank.
func (s *scan) nextLink(i int) {
	from, to := i, i
	for from > s.linkEnd && !between(s.text[from-1]) {
		from--
	}
	for to < len(s.text) && !between(s.text[to]) {
		to++
	}
	word := s.text[from:to]
	s.link, s.linkEnd = to, to
	for _, sign := range []string{"://", "www.", ".vn/", ".com/", ".org/", ".net/"} {
		if at := bytes.Index(word, []byte(sign)); at >= 0 && from+at < i {
			s.link = from
			return
		}
	}
}

func between(c byte) bool {
	return c == ' ' || c == '\n' || c == '"' || c == '<' || c == '>' || c == otherSign
}

// segment reports whether a number is all of a part of a link's path, or all of a value:
// the numbers that links are full of stand among words.
func (s *scan) segment(n *number) bool {
	if !n.bare() {
		return false
	}
	before, after := s.text[n.from-1], byte(0)
	if n.to < s.linkEnd && !(s.text[n.to] == '.' && n.to+1 == s.linkEnd) { // the end of a sentence
		after = s.text[n.to]
	}
	if before == 'B' && n.plus { // %2B
		before = '+'
	}
	return (before == '/' || before == '=' || before == ':' || before == '+') &&
		(after == 0 || after == '/' || after == '?' || after == '&' || after == '#' || after == ';' || after == ')' || after == ',')
}
