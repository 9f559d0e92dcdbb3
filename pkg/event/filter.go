package event

import (
	"fmt"
	"strings"
)

// Match reports whether a NATS filter covers a subject: `*` stands for one token,
// a last `>` for one or more. A filter that CheckFilter refuses covers nothing.
func Match(filter, subject string) bool {
	for {
		want, restFilter, moreFilter := strings.Cut(filter, ".")
		got, restSubject, moreSubject := strings.Cut(subject, ".")
		switch {
		case got == "" || want == "":
			return false
		case want == ">":
			return !moreFilter && !strings.Contains("."+subject+".", "..")
		case want != "*" && want != got:
			return false
		case moreFilter != moreSubject:
			return false
		case !moreFilter:
			return true
		}
		filter, subject = restFilter, restSubject
	}
}

// MatchAny reports whether one of the filters covers the subject; no filters cover all.
func MatchAny(filters []string, subject string) bool {
	for _, f := range filters {
		if Match(f, subject) {
			return true
		}
	}
	return len(filters) == 0
}

// CheckFilter says what is wrong with a filter, nil when it can be used: tokens of
// lower-case letters, digits and hyphens, `*` for one and a last `>` for the rest.
func CheckFilter(filter string) error {
	tokens := strings.Split(filter, ".")
	for i, t := range tokens {
		switch {
		case t == "*":
		case t == ">" && i == len(tokens)-1:
		case t == ">":
			return fmt.Errorf("filter %q: > must be the last token", filter)
		case !isToken(t):
			return fmt.Errorf("filter %q: token %d must be lower-case letters, digits and hyphens, * or >", filter, i+1)
		}
	}
	return nil
}
