package privacy

// A number of interest has at most mostDigits digits in mostGroups groups.
const (
	mostDigits = 15
	mostGroups = 12
)

// scan looks for personal numbers in plain text.
type scan struct {
	text []byte
	id   bool // the text is an id
	// The link that the last number looked at stands in, if any.
	link, linkEnd int
	// The telling words from the last before that number on, once they were looked for.
	marks []mark
	read  bool
}

// number is a run of digits, or several with the same sign between them.
type number struct {
	digits [mostDigits]byte
	n      int // how many there are
	sizes  [mostGroups]int
	seps   [mostGroups]byte // the sign before each group but the first
	groups int
	from   int // in the text
	to     int
	plus   bool // a plus sign stands before it
	paren  bool // its first group is in brackets
	// What the words before it say, and whether they are stuck to it.
	says  context
	glued bool
}

// find tells what the first personal number is.
func (s *scan) find() Kind {
	for i := 0; i < len(s.text); {
		if !digit(s.text[i]) {
			i++
			continue
		}
		end := s.runEnd(i)
		if k := s.from(i); k != None {
			return k
		}
		i = end
	}
	return None
}

// runEnd is where the digits that begin at i end.
func (s *scan) runEnd(i int) int {
	for i < len(s.text) && digit(s.text[i]) {
		i++
	}
	return i
}

// from tells what the number is that begins with the run at i, with as many of the
// groups behind it as make one.
func (s *scan) from(i int) Kind {
	if !s.begins(i) {
		return None
	}
	n := number{from: i, to: i}
	n.plus, n.paren = s.before(i)
	n.says, n.glued = s.contextAt(i)
	if !s.mayBegin(&n) {
		return None
	}
	for at, sep := i, byte(0); ; {
		end := s.runEnd(at)
		if !n.add(s.text[at:end], sep) {
			return None
		}
		n.to = end
		if k := s.judge(&n); k != None {
			return k
		}
		next, by := s.gap(end)
		if next == 0 || n.groups > 1 && !n.regular(by) {
			return None
		}
		at, sep = next, by
	}
}

// mayBegin reports whether a personal number may begin as this one does: with a zero,
// the country's code or a plus sign, or after a word that says so.
func (s *scan) mayBegin(n *number) bool {
	c := s.text[n.from]
	return c == '0' || c == '8' && n.from+1 < len(s.text) && s.text[n.from+1] == '4' || n.plus || n.says == ofPerson || n.says == ofCall || n.says == ofCalls ||
		s.id && n.from == 0
}

// add puts a group behind the number, unless it gets too long.
func (n *number) add(group []byte, sep byte) bool {
	if n.groups == mostGroups || n.n+len(group) > mostDigits {
		return false
	}
	n.n += copy(n.digits[n.n:], group)
	n.sizes[n.groups], n.seps[n.groups] = len(group), sep
	n.groups++
	return true
}

// regular reports whether one more group may follow by this sign. The first sign may
// differ from the rest: it often sets an area code apart.
func (n *number) regular(sep byte) bool {
	for i := 2; i < n.groups; i++ {
		if n.seps[i] != sep {
			return false
		}
	}
	return true
}

func (n *number) all() string { return string(n.digits[:n.n]) }

// bare reports whether it is digits and nothing else.
func (n *number) bare() bool { return n.groups == 1 }

// sized reports whether its groups have these sizes.
func (n *number) sized(sizes ...int) bool {
	if n.groups != len(sizes) {
		return false
	}
	for i, size := range sizes {
		if n.sizes[i] != size {
			return false
		}
	}
	return true
}

// grouped reports whether its first group has so many digits and all others two or
// more: no list of small figures has.
func (n *number) grouped(least int) bool {
	if n.sizes[0] < least {
		return false
	}
	for i := 1; i < n.groups; i++ {
		if n.sizes[i] < 2 {
			return false
		}
	}
	return n.groups <= 5
}

// amount reports whether its groups are those of an amount.
func (n *number) amount() bool {
	if n.groups < 2 || n.sizes[0] > 3 || n.digits[0] == '0' {
		return false
	}
	for i := 1; i < n.groups; i++ {
		if n.sizes[i] != 3 || n.seps[i] != n.seps[1] {
			return false
		}
	}
	return n.seps[1] != '-'
}

// round reports whether it ends as amounts do.
func (n *number) round() bool {
	for i := n.n - 5; i < n.n; i++ {
		if i < 0 || n.digits[i] != '0' {
			return false
		}
	}
	return true
}

// codes reports whether its groups are of one size and each begins with a zero, as in a
// list of codes.
func (n *number) codes() bool {
	for i := range n.groups {
		if n.sizes[i] != n.sizes[0] || n.digits[i*n.sizes[0]] != '0' {
			return false
		}
	}
	return n.groups > 1
}

// before tells what signs stand before the number at i.
func (s *scan) before(i int) (plus, paren bool) {
	if i > 0 && s.text[i-1] == '(' {
		paren = true
		i--
	}
	plus = i > 0 && s.text[i-1] == '+' || i > 2 && string(s.text[i-3:i]) == "%2B"
	return plus, paren
}

// begins reports whether a number may begin at i, and does not go on from digits before.
func (s *scan) begins(i int) bool {
	if i < 2 || !digit(s.text[i-2]) {
		return true
	}
	if c := s.text[i-1]; c == '.' || c == ',' {
		return s.runBack(i-1) >= 9 // else it is a fraction, or a group of an amount
	}
	return true
}

// runBack is how many digits end before i.
func (s *scan) runBack(i int) int {
	n := 0
	for n < i && n < mostDigits && digit(s.text[i-1-n]) {
		n++
	}
	return n
}

// gap finds what may stand between two groups of a number behind i: where the next
// begins, and the sign between them; 0 where the number ends.
func (s *scan) gap(i int) (next int, sep byte) {
	sep = ' '
	at := i
	if at < len(s.text) && s.text[at] == ')' {
		at++
	}
	blanks := 0
	for ; at < len(s.text) && at-i < 5; at++ {
		switch c := s.text[at]; {
		case digit(c):
			if at == i {
				return 0, 0
			}
			return at, sep
		case c == ' ', c == '(':
			blanks++
		case c == '.' || c == '-' || c == '_':
			if sep != ' ' {
				return 0, 0
			}
			sep = c
		case c == ',' && blanks == 0 && sep == ' ' && at+1 < len(s.text) && digit(s.text[at+1]):
			sep = c
		case c == ')' && at > i:
		default:
			return 0, 0
		}
	}
	return 0, 0
}

// ends reports whether the number ends where it does, and is no part of a longer one,
// of a code or of a document's number.
func (s *scan) ends(n *number) bool {
	if n.to == len(s.text) {
		return true
	}
	c := s.text[n.to]
	next := byte(0)
	if n.to+1 < len(s.text) {
		next = s.text[n.to+1]
	}
	switch {
	case c == '/' && letter(next):
		return false // as in 123/QD-TTg
	case !digit(next):
		return true
	case c == '.', c == ',', c == '/':
		return s.runEnd(n.to+1)-n.to > 9 // another number
	case c == '-', c == '_':
		return n.bare() || n.seps[n.groups-1] != c
	}
	return true
}

// alone reports whether the number is no middle of a longer row of groups; asked of
// numbers that an amount could look like.
func (s *scan) alone(n *number) bool {
	if n.bare() {
		return true
	}
	if n.from > 1 && !n.plus && digit(s.text[n.from-2]) && (s.text[n.from-1] == n.seps[1]) {
		return false
	}
	next, sep := s.gap(n.to)
	return next == 0 || sep != n.seps[n.groups-1] || s.runEnd(next)-next != 3
}

// inRow reports whether its groups are the middle of a longer row of such groups, as an
// amount is that is written with blanks.
func (s *scan) inRow(n *number) bool {
	if n.bare() {
		return false
	}
	if at := n.from - 1; (n.sized(3, 3, 3) || n.sized(3, 3, 3, 3)) && n.sep() == ' ' && n.seps[1] == ' ' && at > 0 && s.text[at] == ' ' {
		if before := s.runBack(at); before > 0 && before <= 3 {
			return true
		}
	}
	next, sep := s.gap(n.to)
	return next > 0 && sep == n.seps[n.groups-1] && s.runEnd(next)-next == n.sizes[n.groups-1]
}
