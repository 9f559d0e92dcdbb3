package book

import (
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// of returns the value as a measure takes it: of its kind, in its fixed point.
func (v Value) of(m *Measure) (Value, error) {
	field := "submission." + v.Field
	if v.State == NotApplicable || v.State == Withdrawn {
		return v, nil
	}
	if v.Text {
		return v.ofText(m, field)
	}
	if v.State == Bare && m.kind == typev1.ValueKind_VALUE_KIND_RATIO {
		return v, v.bareFits(m, field)
	}
	if v.State == Bare || v.Kind != m.kind {
		return v, wrongKind(m, field)
	}
	if v.Listed {
		for range m.decimals {
			v.Num, v.Den = v.Num*10, v.Den*10 // at most 1,000 items and 6 decimals
		}
	}
	switch {
	case m.kind != typev1.ValueKind_VALUE_KIND_RATIO:
		return v, nil
	case v.Den == 0 && v.Num > 0:
		return v, refuse(errorv1.Reason_REASON_ZERO_DENOMINATOR, field+".denominator",
			"%d of 0 is no ratio; 0 of 0 says that there was nothing to do", v.Num)
	case v.Num > v.Den && !m.target.GetMayExceed():
		return v, refuse(errorv1.Reason_REASON_NUMERATOR_ABOVE_DENOMINATOR, field+".numerator",
			"%d is above %d, which target %s does not allow", v.Num, v.Den, m.key.id)
	}
	return v, nil
}

// ofText makes a number in text a count, or the bare percentage of a ratio.
func (v Value) ofText(m *Measure, field string) (Value, error) {
	switch m.kind {
	case typev1.ValueKind_VALUE_KIND_RATIO:
		const most = int64(1_000_000_000_000) // the contract's limit for a bare percentage
		if v.Num > most {
			return v, refuse(errorv1.Reason_REASON_INVALID_FIELD, field+".text", "the percentage is too large")
		}
		v.State = Bare
		return v, v.bareFits(m, field)
	case typev1.ValueKind_VALUE_KIND_COUNT:
	default:
		return v, wrongKind(m, field)
	}
	if int(v.Scale) > m.decimals {
		return v, refuse(errorv1.Reason_REASON_INVALID_FIELD, field+".text",
			"target %s takes at most %d decimals", m.key.id, m.decimals)
	}
	const most = int64(1_000_000_000_000_000_000) // the contract's limit for a count
	for ; int(v.Scale) < m.decimals; v.Scale++ {
		if v.Num > most/10 {
			return v, refuse(errorv1.Reason_REASON_INVALID_FIELD, field+".text", "the number is too large")
		}
		v.Num *= 10
	}
	return v, nil
}

// bareFits refuses a bare percentage above 100, as a ratio above the whole is.
func (v Value) bareFits(m *Measure, field string) error {
	most := int64(100)
	for range v.Scale {
		most *= 10 // at most 6 decimals
	}
	if v.Num > most && !m.target.GetMayExceed() {
		return refuse(errorv1.Reason_REASON_NUMERATOR_ABOVE_DENOMINATOR, field,
			"the percentage is above 100, which target %s does not allow", m.key.id)
	}
	return nil
}

func wrongKind(m *Measure, field string) error {
	want := m.kind.String()[len("VALUE_KIND_"):]
	return refuse(errorv1.Reason_REASON_WRONG_VALUE_KIND, field, "%s takes %s", m.key.id, want).with("want", want)
}
