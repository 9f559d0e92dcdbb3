package privacy

// judge tells whether what was read so far is a personal number.
func (s *scan) judge(n *number) Kind {
	if n.n < leastDigits || !s.ends(n) || !n.glued && s.stuck(n) {
		return None
	}
	if s.inLink(n.from) {
		if !s.segment(n) {
			return None
		}
	} else if s.code(n) {
		return None
	}
	k := s.decide(n)
	if k != None && s.uuid(n.from) {
		return None
	}
	return k
}

// shape is what a number looks like without the words around it.
type shape uint8

const (
	shapeCall     shape = iota // surely a telephone number
	shapeCode                  // one, or an amount: with the country's code and no plus sign
	shapeCompany               // one, or the number of a company
	shapeIdentity              // surely an identity number
	shapeOld                   // an identity number of nine digits, or a document
	shapeWorded                // could be any
)

// shape tells what the number looks like.
func (n *number) shape() shape {
	d := n.all()
	switch {
	case n.plus && n.abroad(d), hasPrefix(d, "0084") && national(d[4:]):
		return shapeCall
	case hasPrefix(d, "84") && national(d[2:]) && (n.bare() || n.sizes[0] == 2):
		if n.plus || !n.bare() && !n.amount() {
			return shapeCall
		}
		return shapeCode
	case d[0] != '0':
		return shapeWorded
	case n.n == 12 && d[:3] >= "001" && d[:3] <= "096" && n.identity():
		return shapeIdentity
	case national(d[1:]) && n.spelled():
		return shapeCall
	case n.n == 10 && d[1] != '0' && (n.bare() || n.sized(4, 3, 3) || n.sized(3, 3, 4) || n.paren):
		return shapeCompany
	case n.n == 9 && d[1] != '0' && (n.bare() || n.sized(3, 3, 3)) && !n.codes():
		return shapeOld
	}
	return shapeWorded
}

func hasPrefix(d, prefix string) bool { return len(d) > len(prefix) && d[:len(prefix)] == prefix }

// national reports whether a number is one of the country without the zero or the
// country's code before it: a mobile one, one of a place, a mobile one until 2018.
func national(d string) bool {
	if len(d) > 9 && d[0] == '0' { // as in +84 (0) 912 345 678
		d = d[1:]
	}
	switch {
	case len(d) == 9:
		return d[0] == '3' && d[1] >= '2' || d[0] == '5' || d[0] >= '7'
	case len(d) != 10:
		return false
	case d[:2] == "24" || d[:2] == "28":
		return d[2] >= '2'
	case d[0] == '2':
		return d[1:3] >= "03" && d[3] >= '2'
	}
	return d[:2] == "12" || d[:2] == "16" && d[2] >= '2' || d[:2] == "18" && (d[2] == '6' || d[2] == '8') || d[:3] == "199"
}

// abroad reports whether a number with a plus sign is one with a country's code.
func (n *number) abroad(d string) bool {
	if hasPrefix(d, "84") {
		return national(d[2:])
	}
	if n.n < 10 || n.n > 13 || n.amount() || n.round() || d[0] == '0' {
		return false
	}
	return n.groups > 2 || n.bare() && n.n > 10
}

// spelled reports whether the groups are those of a telephone number, and no list of
// codes or figures.
func (n *number) spelled() bool {
	switch {
	case n.codes():
		return false
	case n.bare(), n.sizes[0] <= 4 && n.grouped(3), n.sized(5, 5), n.sized(1, 3, 3, 3), n.sized(1, 9), n.sized(2, 4, 4) && n.seps[1] == n.seps[2]:
		return true
	}
	return n.groups > 1 && n.seps[1] != ' ' && n.regular(n.seps[1]) &&
		(n.sized(2, 2, 2, 2, 2) || n.sized(2, 8) || n.sized(2, 5, 3) || n.sized(2, 3, 3, 2) || n.sized(2, 3, 2, 3))
}

// identity reports whether the groups are those of an identity number of twelve digits.
func (n *number) identity() bool {
	if n.sized(6, 6) || n.bare() {
		return true
	}
	return !n.codes() && (n.sized(3, 3, 3, 3) || n.sized(4, 4, 4) || n.sized(3, 9) ||
		n.sized(3, 3, 6) || n.sized(3, 1, 2, 6) || n.sized(4, 2, 6) || n.sized(4, 8) || n.sized(3, 1, 8))
}

// decide is what a number of a shape is by the words that go before it and behind.
func (s *scan) decide(n *number) Kind {
	c := n.says
	paper := c == ofPaper && n.bare()
	if s.id && !n.plus && !n.strict() {
		return None
	}
	switch n.shape() {
	case shapeCall:
		if !paper {
			return Telephone
		}
	case shapeIdentity:
		if c != ofAccount && !s.inRow(n) {
			return Identity
		}
	case shapeCode:
		called := c == ofCall || c == ofCalls
		amount := n.amount() && n.seps[1] != ' ' || countedAt(s.text, n.to) || n.round()
		if called && !countedAt(s.text, n.to) || !paper && c != ofAccount && !amount && !s.inLink(n.from) && s.alone(n) {
			return Telephone
		}
	case shapeCompany:
		if c == ofCall || c == ofCalls || !s.id && !paper && c != ofAccount {
			return Telephone
		}
	case shapeOld:
		if c == ofPaper || c == ofAccount || s.inRow(n) || s.inLink(n.from) && c != ofPerson {
			return None
		}
		return Identity
	}
	return s.worded(n)
}

// strict reports whether the groups are those of a personal number and unlikely to be
// anything else: ids join the codes of units, dates and counters by the same signs.
func (n *number) strict() bool {
	return n.bare() || n.sized(4, 3, 3) || n.sized(3, 3, 4) || n.sized(4, 6) || n.sized(3, 7) || n.sized(4, 2, 2, 2) ||
		n.sized(3, 3, 3, 3) || n.sized(3, 9) || n.sized(3, 3, 6) || n.paren
}

// worded is what a number is by words alone.
func (s *scan) worded(n *number) Kind {
	c, d := n.says, n.all()
	whole := s.id && n.bare() && n.from == 0 && n.to == len(s.text)
	switch {
	case c != ofPerson && c != ofCall && c != ofCalls && !whole, !s.alone(n):
		return None
	case c == ofPerson || c == unsaid:
		if c == unsaid && (n.n != 9 || d[0] > '3' || d[:2] == "00") || n.n != 9 && n.n != 12 || n.round() || countedAt(s.text, n.to) {
			return None
		}
		if n.amount() && n.sep() != ' ' && (n.n == 12 || d[0] > '3') {
			return None
		}
		return Identity
	case countedAt(s.text, n.to), n.amount() && n.sep() != ' ' && c == ofCalls:
		return None
	case d[0] == '0' && (n.n == 10 || n.n == 11) && d[1] != '0',
		n.n == 9 && national(d),
		n.n == 8 && c == ofCall && d[0] >= '2' && d[:2] != "20" && (n.bare() || n.sized(4, 4)):
		return Telephone
	}
	return None
}

// sep is the sign between its groups.
func (n *number) sep() byte { return n.seps[n.groups-1] }

// stuck reports whether a number is stuck to letters that do not say what it is, which
// makes it a code: always in an id, in text where they are capitals.
func (s *scan) stuck(n *number) bool {
	before, after := n.from > 0 && letter(s.text[n.from-1]), letterAt(s.text, n.to)
	if !before && !after {
		return false
	}
	if s.id {
		return true
	}
	return before && capital(s.text[n.from-1]) && string(s.text[max(0, n.from-3):n.from]) != "%2B" || after && capital(s.text[n.to])
}

func capital(c byte) bool { return c-'A' < 26 }

// code reports whether the number stands in a word in which letters and digits change
// places often, as in a hash or an id.
func (s *scan) code(n *number) bool {
	const most = 80
	from, to := n.from, n.to
	for from > 0 && n.from-from < most && alnum(s.text[from-1]) {
		from--
	}
	for to < len(s.text) && to-n.to < most && alnum(s.text[to]) {
		to++
	}
	if from == n.from && to == n.to {
		return false
	}
	changes := 0
	for i := from + 1; i < to; i++ {
		if digit(s.text[i]) != digit(s.text[i-1]) {
			changes++
		}
	}
	if digit(s.text[from]) { // as if a letter came before
		changes++
	}
	return changes > 2
}

// uuidForm is how a UUID is written.
const uuidForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

// uuid reports whether a UUID holds what is at i.
func (s *scan) uuid(i int) bool {
	for from := max(0, i-len(uuidForm)+1); from <= i && from+len(uuidForm) <= len(s.text); from++ {
		if isUUID(s.text[from : from+len(uuidForm)]) {
			return true
		}
	}
	return false
}

func isUUID[T string | []byte](s T) bool {
	if len(s) != len(uuidForm) {
		return false
	}
	for i := range len(uuidForm) {
		c := s[i]
		if uuidForm[i] == '-' && c != '-' || uuidForm[i] == 'x' && !digit(c) && c|0x20-'a' >= 6 {
			return false
		}
	}
	return true
}
