package book

import (
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// averageTimesDays is the one kind of check that looks at another target too.
const averageTimesDays = registryv1.CheckKind_CHECK_KIND_AVERAGE_TIMES_DAYS

// checks checks that each check can be made of such a target's values, and stands
// there once.
func (f *faults) checks(id name.Target, t *registryv1.Target) {
	type once struct {
		kind  registryv1.CheckKind
		other string
	}
	seen := map[once]bool{}
	for i, c := range t.GetChecks() {
		field := fmt.Sprintf("target.checks[%d]", i)
		if why := unfit(c.GetKind(), t); why != "" {
			f.add(field+".kind", "%s", why)
		}
		double := field + ".kind"
		if c.GetKind() == averageTimesDays {
			double = field + ".other"
			switch c.GetOther() {
			case "":
				f.add(field+".other", "the target that holds the average is missing")
			case id.ID:
				f.add(field+".other", "a target is not its own average")
			}
		} else {
			if c.GetOther() != "" {
				f.add(field+".other", "a check of this kind looks at no other target")
			}
			if c.Tolerance != nil {
				f.add(field+".tolerance", "a check of this kind has none")
			}
		}
		key := once{kind: c.GetKind()}
		if c.GetKind() == averageTimesDays {
			key.other = c.GetOther()
		}
		if seen[key] {
			f.add(double, "the same check stands before it")
		}
		seen[key] = true
	}
}

// unfit says why a check cannot be made of a target's values, empty when it can.
func unfit(kind registryv1.CheckKind, t *registryv1.Target) string {
	count := t.GetValueKind() == typev1.ValueKind_VALUE_KIND_COUNT
	last := t.GetAccumulation() == typev1.Accumulation_ACCUMULATION_LAST
	switch kind {
	case registryv1.CheckKind_CHECK_KIND_MAGNITUDE, averageTimesDays:
		if !count {
			return "only a COUNT target has this check"
		}
	case registryv1.CheckKind_CHECK_KIND_FALLING_STOCK:
		if !count || !last {
			return "only a COUNT target that takes LAST has this check"
		}
	case registryv1.CheckKind_CHECK_KIND_CONTROL_TOTAL:
		return "this check comes with the subtotal policy CONTROL_TOTAL and is not declared"
	}
	return ""
}

// checkAverages checks that the targets that hold averages are there, and are of
// counts over the same periods.
func (b *Book) checkAverages(f *faults, p name.Programme, t *registryv1.Target) {
	for i, c := range t.GetChecks() {
		if c.GetKind() != averageTimesDays {
			continue
		}
		field := fmt.Sprintf("target.checks[%d].other", i)
		other := b.Target(name.Target{Programme: p, ID: c.GetOther()})
		switch {
		case other == nil:
			f.add(field, "%s has no target %s", p.Name(), c.GetOther())
		case other.GetValueKind() != typev1.ValueKind_VALUE_KIND_COUNT:
			f.add(field, "target %s is not a COUNT", c.GetOther())
		case periodsDiffer(other, t) != "":
			f.add(field, "target %s has another %s", c.GetOther(), periodsDiffer(other, t))
		}
	}
}
