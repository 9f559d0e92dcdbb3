package privacy

import "strings"

// context is what the words before a number say of it.
type context uint8

const (
	unsaid    context = iota
	ofPerson          // an identity number
	ofCall            // a telephone number
	ofCalls           // a telephone number, or how many of them
	ofPaper           // the number of a document, of a company
	ofAccount         // the number of an account
)

// said are the words that say what a number is, without marks; pairs have a blank.
var said = map[string]context{
	"cccd": ofPerson, "cc": ofPerson, "cmnd": ofPerson, "cmt": ofPerson, "cmtnd": ofPerson, "can cuoc": ofPerson,
	"chung minh": ofPerson, "dinh danh": ofPerson, "citizen": ofPerson, "identity": ofPerson, "id card": ofPerson, "id number": ofPerson,

	"sdt": ofCall, "dtdd": ofCall, "dt": ofCall, "tel": ofCall, "phone": ofCall, "mobile": ofCall, "telephone": ofCall, "zalo": ofCall,
	"hotline": ofCall, "viber": ofCall, "whatsapp": ofCall, "wa me": ofCall, "fax": ofCall,
	"dien thoai": ofCalls, "di dong": ofCalls, "lien he": ofCalls, "lh": ofCalls, "goi": ofCalls, "call": ofCalls, "thue bao": ofCalls,

	"mst": ofPaper, "so thue": ofPaper, "doanh nghiep": ofPaper, "msdn": ofPaper, "dkkd": ofPaper, "ho so": ofPaper, "hoa don": ofPaper,
	"bien lai": ofPaper, "cong van": ofPaper, "quyet dinh": ofPaper, "van ban": ofPaper, "giay phep": ofPaper, "giay chung": ofPaper,
	"seri": ofPaper, "serial": ofPaper, "so hieu": ofPaper, "hop dong": ofPaper, "van don": ofPaper, "phieu": ofPaper, "isbn": ofPaper, "thu tuc": ofPaper,

	"tai khoan": ofAccount, "chuyen khoan": ofAccount, "tk": ofAccount, "stk": ofAccount, "account": ofAccount, "kho bac": ofAccount, "iban": ofAccount,
}

// counted are words behind a number that make it an amount.
var counted = map[string]bool{
	"dong": true, "d": true, "vnd": true, "usd": true, "eur": true, "nghin": true, "ngan": true, "trieu": true, "ty": true, "ti": true,
	"m": true, "m2": true, "m3": true, "km": true, "km2": true, "ha": true, "kg": true, "tan": true, "kwh": true, "gb": true, "tb": true,
	"nguoi": true, "the": true, "ho": true, "luot": true, "giao": true, "thue": true, "ban": true, "van": true, "cuoc": true, "can": true,
	"truong": true, "hoc": true, "cong": true, "doanh": true, "ca": true, "don": true, "lan": true, "tai": true, "so": true, "dich": true,
	"cards": true, "people": true, "requests": true, "transactions": true, "records": true, "times": true,
}

// bytesBack is how far back words are looked at.
const bytesBack = 60

// beginnings are the first two letters of the words that say something, alone or as
// the second of a pair: most words need not be looked up.
var beginnings = func() (table [26 * 26]bool) {
	for words := range said {
		for _, w := range strings.Fields(words) {
			table[int(w[0]-'a')*26+int(w[1]-'a')] = true
		}
	}
	return table
}()

// mark is where a telling word ends, and what it says.
type mark struct {
	end  int
	says context
}

// marks finds the telling words of a text, in order. An empty one stands at the end of
// each line.
func marks(s []byte) (out []mark) {
	var room [16]byte
	before := "" // the word before the present one, if it can be one of a pair
	for i := 0; i < len(s); {
		if s[i] == '\n' {
			out, before = append(out, mark{i + 1, unsaid}), ""
		}
		if !letter(s[i]) {
			i++
			continue
		}
		from := i
		for i < len(s) && letter(s[i]) {
			i++
		}
		if i-from > len(room) || i-from < 2 || !begins(s[from:i]) {
			before = ""
			continue
		}
		word := room[:0]
		for _, b := range s[from:i] {
			word = append(word, b|0x20)
		}
		says := said[before+" "+string(word)]
		if says == unsaid {
			says = said[string(word)]
		}
		if says != unsaid {
			out = append(out, mark{i, says})
		}
		before = string(word)
	}
	return out
}

func begins(word []byte) bool {
	a, b := word[0]|0x20-'a', word[1]|0x20-'a'
	return a < 26 && b < 26 && beginnings[int(a)*26+int(b)]
}

// contextAt tells what the nearest telling word before i says, and whether it ends
// right there, glued to the number. It is asked of places in order.
func (s *scan) contextAt(i int) (c context, glued bool) {
	if !s.read {
		s.marks, s.read = marks(s.text), true
	}
	for len(s.marks) > 1 && s.marks[1].end <= i {
		s.marks = s.marks[1:]
	}
	if len(s.marks) == 0 || s.marks[0].end > i || i-s.marks[0].end > bytesBack {
		return unsaid, false
	}
	return s.marks[0].says, s.marks[0].end == i && s.marks[0].says != unsaid
}

// countedAt reports whether what follows makes the number before i an amount.
func countedAt(s []byte, i int) bool {
	for i < len(s) && s[i] == ' ' {
		i++
	}
	if i < len(s) && s[i] == '%' {
		return true
	}
	var room [8]byte
	word := room[:0]
	for ; i < len(s) && alnum(s[i]); i++ {
		if len(word) == len(room) {
			return len(word) == 8 && hasFold(word, "transact")
		}
		c := s[i]
		if letter(c) {
			c |= 0x20
		}
		word = append(word, c)
	}
	return counted[string(word)]
}
