package reporting

import (
	"regexp"
	"strconv"
	"strings"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// Numbers as people write them in the locales of the contract: digits in groups of
// three, and decimals.
var (
	plainNumber = regexp.MustCompile(`^[0-9]+$`)
	vietnamese  = regexp.MustCompile(`^([1-9][0-9]{0,2}(\.[0-9]{3})+|[0-9]+)(,[0-9]{1,6})?$`)
	american    = regexp.MustCompile(`^([1-9][0-9]{0,2}(,[0-9]{3})+|[0-9]+)(\.[0-9]{1,6})?$`)
)

// mostPercent is the contract's limit for the digits of a bare percentage.
const mostPercent = 1_000_000_000_000

// readText makes a value of a number in text. With a percent sign after it, it is a
// percentage whatever the target takes; else the target says what it is.
func readText(text, locale string) (book.Value, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	n, scale, err := readNumber(strings.TrimSpace(number), locale)
	if err != nil {
		return book.Value{}, err
	}
	if !percent {
		return book.Value{State: book.Reported, Text: true, Num: n, Scale: scale, Field: "text"}, nil
	}
	if n > mostPercent {
		return book.Value{}, refuse(errorv1.Reason_REASON_INVALID_FIELD, "submission.text.text", "%q is too large for a percentage", text)
	}
	return book.Value{State: book.Bare, Num: n, Scale: scale, Field: "text"}, nil
}

// readNumber reads a number in text: an integer and how many of its last digits
// are decimals. Without a locale only plain
// digits are read, because `1.146` means one thing here and another there.
func readNumber(s, locale string) (n int64, decimals uint8, err error) {
	text, group, point := s, "", ""
	switch {
	case plainNumber.MatchString(s):
	case locale == "vi-VN" && vietnamese.MatchString(s):
		group, point = ".", ","
	case locale == "en-US" && american.MatchString(s):
		group, point = ",", "."
	case locale == "":
		return 0, 0, refuse(errorv1.Reason_REASON_AMBIGUOUS_NUMBER, "submission.text.locale",
			"%q can be read in two ways, or in none: declare its locale, vi-VN or en-US", text)
	default:
		return 0, 0, refuse(errorv1.Reason_REASON_AMBIGUOUS_NUMBER, "submission.text.text", "%q is no number in %s", text, locale)
	}
	if point != "" {
		s = strings.ReplaceAll(s, group, "")
		whole, fraction, _ := strings.Cut(s, point)
		s, decimals = whole+fraction, uint8(len(fraction))
	}
	n, err = strconv.ParseInt(s, 10, 64)
	if err != nil || n > 1_000_000_000_000_000_000 {
		return 0, 0, refuse(errorv1.Reason_REASON_INVALID_FIELD, "submission.text.text", "%q is too large", text)
	}
	return n, decimals, nil
}

// blank reports whether a text says nothing.
func blank(s string) bool { return strings.TrimSpace(s) == "" }
