package auth

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cotmoc/cotmoc/pkg/name"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// outside is the one subtree-authorisation function: it tells which of the places the
// caller does not reach.
func (c *caller) outside(ctx context.Context, places []Place) ([]int, error) {
	if c.Role.Everything() || len(places) == 0 {
		return nil, nil
	}
	if c.tree == nil {
		return []int{0}, nil
	}
	out, err := c.tree.Outside(ctx, c.Unit, places)
	if err != nil {
		return nil, fmt.Errorf("judge by the tree: %w", err)
	}
	return out, nil
}

// whole denies what is for those only whose subtree is all there is.
func (c *caller) whole(ctx context.Context, field string) error {
	if c.tree == nil {
		return denied(field)
	}
	whole, err := c.tree.Whole(ctx, c.Unit)
	if err != nil {
		return fmt.Errorf("judge by the tree: %w", err)
	}
	if !whole {
		return denied(field)
	}
	return nil
}

// subjects denies filters that could let in an event of another's: each must name the
// caller's unit in the path itself, which begins at the sixth token. The same rule
// decides what Sees lets through.
func (c *caller) subjects(ctx context.Context, field string, req proto.Message) error {
	list := valueAt(req.ProtoReflect(), field).List()
	if list.Len() == 0 {
		return c.whole(ctx, field)
	}
	for i := range list.Len() {
		if namesUnit(list.Get(i).String(), c.Unit) {
			continue
		}
		if err := c.whole(ctx, fmt.Sprintf("%s[%d]", field, i)); err != nil {
			return err
		}
	}
	return nil
}

// pathAt is how many tokens of a subject come before the unit path.
const pathAt = 5

// namesUnit reports whether all subjects that a filter covers have the unit in their path.
func namesUnit(filter, unit string) bool {
	for i, token := range strings.Split(filter, ".") {
		if token == ">" {
			return false
		}
		if i >= pathAt && token == unit {
			return true
		}
	}
	return false
}

// Sight is what a caller sees of events. The zero Sight sees nothing.
type Sight struct {
	all  bool
	unit string
}

// SightOf finds out what the caller sees of events: all of them where it reaches
// everything or callers have no identity, else those in whose path its unit stands.
func SightOf(ctx context.Context) (Sight, error) {
	c := callerOf(ctx)
	if c == nil || c.Role.Everything() {
		return Sight{all: true}, nil
	}
	s := Sight{unit: c.Unit}
	if c.tree == nil {
		return s, nil
	}
	var err error
	s.all, err = c.tree.Whole(ctx, c.Unit)
	return s, err
}

// Sees reports whether an event with this unit path is seen.
func (s Sight) Sees(path string) bool { return s.all || Within(path, s.unit) }

// Within reports whether a unit path, ids joined by dots, leads through a unit.
func Within(path, unit string) bool {
	for rest, more := path, path != ""; more; {
		var id string
		if id, rest, more = strings.Cut(rest, "."); id == unit {
			return unit != ""
		}
	}
	return false
}

// OwnSubscription denies a subscription that is not the caller's own. Callers that
// reach everything, and those without identities, own all.
func OwnSubscription(ctx context.Context, subscription string) error {
	c := callerOf(ctx)
	if c == nil {
		return nil
	}
	outside, err := c.outside(ctx, []Place{{Subscription: subscription}})
	if err == nil && len(outside) > 0 {
		err = denied("subscription")
	}
	return err
}

// OwnerOf is the unit that owns a subscription: that with the longest id which, with a
// hyphen, begins the name. exists tells whether there is a unit with an id.
func OwnerOf(subscription string, exists func(unit string) bool) string {
	for at := strings.LastIndexByte(subscription, '-'); at > 0; at = strings.LastIndexByte(subscription[:at], '-') {
		if exists(subscription[:at]) {
			return subscription[:at]
		}
	}
	return ""
}

// DeniedItem is the refusal of an item of a batch whose items stand each for itself;
// nil where the item is the caller's. Its field is the item's own.
func DeniedItem(ctx context.Context, i int) error {
	if c := callerOf(ctx); c != nil {
		return c.denied[i]
	}
	return nil
}

// alone reports whether the items of a batch stand each for itself.
func alone(ask Ask, req proto.Message) bool {
	return valueAt(req.ProtoReflect(), ask.EachAlone).Enum() == protoreflect.EnumNumber(reportingv1.BatchMode_BATCH_MODE_PER_ITEM)
}

// placesOf reads the places of a message, each with the path of the field that names
// it. whole is the request, which names the programme of them all.
func placesOf(ask Ask, msg, whole proto.Message) (places []Place, fields []string) {
	m := msg.ProtoReflect()
	if ask.Each == "" {
		if p, field, ok := placeOf(ask, m, whole.ProtoReflect()); ok {
			return []Place{p}, []string{field}
		}
		return nil, nil
	}
	list := valueAt(m, ask.Each).List()
	for i := range list.Len() {
		at := fmt.Sprintf("%s[%d]", ask.Each, i)
		element, isMessage := list.Get(i).Interface().(protoreflect.Message)
		if !isMessage { // a list of days, of which the rest of the request says whose
			p, _, _ := placeOf(ask, m, m)
			p.Date = list.Get(i).String()
			places, fields = append(places, p), append(fields, ask.Unit)
			continue
		}
		p, field, ok := placeOf(ask, element, whole.ProtoReflect())
		if !ok {
			p, field = Place{}, ""
		}
		places, fields = append(places, p), append(fields, at+"."+field)
	}
	return places, fields
}

// placeOf reads one place; false where nothing is asked about it.
func placeOf(ask Ask, m, whole protoreflect.Message) (p Place, field string, ok bool) {
	if ask.Where != "" && !m.Has(m.Descriptor().Fields().ByName(protoreflect.Name(ask.Where))) {
		return p, "", false
	}
	text := func(in protoreflect.Message, path string) string {
		if path == "" {
			return ""
		}
		return valueAt(in, path).String()
	}
	number := func(path string) uint64 {
		if path == "" {
			return 0
		}
		return valueAt(m, path).Uint()
	}
	p = Place{Programme: text(whole, ask.Programme), Target: text(m, ask.Target), Unit: text(m, ask.Unit),
		Period: text(m, ask.Period), Until: text(m, ask.Until), Date: text(m, ask.Date),
		Submission: number(ask.Submission), Event: number(ask.Event), Finding: number(ask.Finding),
		Subscription: text(m, ask.Subscription)}
	if p.Period == "" && p.Date == "" && ask.Known != "" {
		p.Date = dayAt(m, ask.Known)
	}
	switch {
	case ask.Allocation != "":
		return allocationPlace(ask, text(m, ask.Allocation))
	case ask.Submission != "":
		return p, ask.Submission, true
	case ask.Event != "":
		return p, ask.Event, true
	case ask.Finding != "":
		return p, ask.Finding, true
	case ask.Subscription != "":
		return p, ask.Subscription, true
	case ask.Unit != "" && p.Unit != "":
		return p, ask.Unit, true
	}
	field = ask.Programme
	if ask.Unit != "" {
		field = ask.Unit // naming one would help
	}
	return p, field, true
}

// dayAt is the day of a time; empty where none is given. What was known then is what
// stood in the tree of that day.
func dayAt(m protoreflect.Message, path string) string {
	v := valueAt(m, path).Message()
	at, ok := v.Interface().(*timestamppb.Timestamp)
	if !ok || !v.IsValid() {
		return ""
	}
	return calendar.DateOf(at.AsTime()).String()
}

// allocationPlace is the place of an allocation by its resource name; of another
// resource nothing is asked.
func allocationPlace(ask Ask, resource string) (Place, string, bool) {
	a, err := name.ParseAllocation(resource)
	if err != nil {
		return Place{}, "", false
	}
	return Place{Programme: string(a.Target.Programme), Unit: string(a.Unit)}, ask.Allocation, true
}

// valueAt reads a field by its path. A path that leads nowhere is a defect of the
// table, which panics.
func valueAt(m protoreflect.Message, path string) protoreflect.Value {
	for {
		head, rest, more := strings.Cut(path, ".")
		v := m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(head)))
		if !more {
			return v
		}
		m, path = v.Message(), rest
	}
}

// leaveOut takes elements of a repeated field out of a message.
func leaveOut(m proto.Message, field string, indices []int) {
	list := m.ProtoReflect().Mutable(m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(field))).List()
	kept, next := 0, 0
	for i := range list.Len() {
		if next < len(indices) && indices[next] == i {
			next++
			continue
		}
		list.Set(kept, list.Get(i))
		kept++
	}
	list.Truncate(kept)
}
