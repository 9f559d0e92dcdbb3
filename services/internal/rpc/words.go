package rpc

import "buf.build/go/protovalidate"

// The forms that the contract's patterns ask for, in words.
const (
	idForm      = "must be lower-case letters, digits and single hyphens between them"
	periodForm  = "want the form 2025-M07, 2025-Q3, 2025-H2 or 2025"
	dateForm    = "want the form 2025-07-31"
	requestForm = "must be 1 to 64 printable ASCII characters without blanks"
	linkForm    = "must be an https:// address without blanks"
)

// form is what a pattern of the contract asks for, in words; false for a pattern that
// is not the contract's.
func form(pattern string) (string, bool) {
	switch pattern {
	case "^[a-z0-9](-?[a-z0-9])*$", "^([a-z0-9](-?[a-z0-9])*)?$":
		return idForm, true
	case "^20[0-9]{2}(-(M(0[1-9]|1[0-2])|Q[1-4]|H[12]))?$", "^(20[0-9]{2}(-(M(0[1-9]|1[0-2])|Q[1-4]|H[12]))?)?$":
		return periodForm, true
	case "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$":
		return dateForm, true
	case "^[!-~]{1,64}$":
		return requestForm, true
	case "^https://[^ ]+$":
		return linkForm, true
	}
	return "", false
}

// describe is a broken rule in words: protovalidate's own, but where those show a
// regular expression or the number of an enum's value to whoever sent the request.
func describe(v *protovalidate.Violation) string {
	switch v.Proto.GetRuleId() {
	case "string.pattern":
		if words, ok := form(v.RuleValue.String()); ok {
			return words
		}
	case "enum.not_in":
		return "must be set" // only 0, which stands for nothing, is ever forbidden
	}
	return v.Proto.GetMessage()
}
