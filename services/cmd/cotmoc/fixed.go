package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// grouped is one group of three digits behind a point or comma: 1.146 may be a bit more
// than one, or a thousand and more.
var grouped = regexp.MustCompile(`^[0-9]+[.,][0-9]{3}$`)

// errAmbiguous says that a number may mean two.
var errAmbiguous = errors.New("can be read in two ways")

// decimal reads a number such as 93.1: its digits as an integer, and how many of
// them are decimals.
func decimal(text string) (n int64, decimals uint32, err error) {
	if t := strings.TrimSpace(text); grouped.MatchString(t) {
		at := len(t) - len(".146")
		return 0, 0, fmt.Errorf("%q %w: write %s%s or %s.%s0", text, errAmbiguous, t[:at], t[at+1:], t[:at], t[at+1:])
	}
	whole, fraction, pointed := strings.Cut(strings.TrimSpace(text), ".")
	digits := whole + fraction
	if whole == "" || pointed && fraction == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, 0, fmt.Errorf("%q is not a number such as 1146 or 93.1", text)
	}
	if n, err = strconv.ParseInt(digits, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("%q is too large", text)
	}
	return n, uint32(len(fraction)), nil
}

// fixed reads a number as an integer of a target's fixed point.
func fixed(text string, decimals uint32) (int64, error) {
	n, has, err := decimal(text)
	if err != nil {
		return 0, err
	}
	if has > decimals {
		return 0, fmt.Errorf("%q has %d decimals, the target has %d", text, has, decimals)
	}
	for ; has < decimals; has++ {
		if n > 1e17 {
			return 0, fmt.Errorf("%q is too large", text)
		}
		n *= 10
	}
	return n, nil
}

// ratio reads a numerator and a denominator such as 3/4.
func ratio(text string, decimals uint32) (*reportingv1.Ratio, error) {
	part, whole, ok := strings.Cut(text, "/")
	if !ok {
		return nil, fmt.Errorf("%q is not of the form 3/4", text)
	}
	n, err := fixed(part, decimals)
	if err != nil {
		return nil, err
	}
	d, err := fixed(whole, decimals)
	if err != nil {
		return nil, err
	}
	return &reportingv1.Ratio{Numerator: n, Denominator: d}, nil
}
