package bulk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// Difference is one field of a resource that a write would change.
type Difference struct {
	Path   string // such as `placements[1].kind`
	Before string // empty when it is new
	After  string // empty when it goes away
}

// String is the field with both values.
func (d Difference) String() string {
	switch {
	case d.Before == "":
		return "+ " + d.Path + ": " + d.After
	case d.After == "":
		return "- " + d.Path + ": " + d.Before
	}
	return "~ " + d.Path + ": " + d.Before + " → " + d.After
}

// Change is what a write would do to a resource.
type Change struct {
	Name        string
	Kind        string
	New         bool // there is none of this name
	Differences []Difference
}

// Compare asks for the present version of the resource that a write holds and
// returns what would change. Nothing is changed.
func Compare(ctx context.Context, registry registryv1.RegistryServiceClient, w *registryv1.Write) (Change, error) {
	c := Change{Name: Name(w), Kind: Kind(w)}
	now, err := present(ctx, registry, w)
	if status.Code(err) == codes.NotFound {
		c.New = true
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read %s: %w", c.Name, show.Refusal(err))
	}
	want := proto.Clone(resource(w))
	clearRevision(now)
	clearRevision(want)
	c.Differences = Diff(now, want)
	return c, nil
}

// present reads the version of a resource that the registry holds.
func present(ctx context.Context, registry registryv1.RegistryServiceClient, w *registryv1.Write) (proto.Message, error) {
	of := Name(w)
	switch w.GetResource().(type) {
	case *registryv1.Write_Programme:
		r, err := registry.GetProgramme(ctx, &registryv1.GetProgrammeRequest{Name: of})
		return r.GetProgramme(), err
	case *registryv1.Write_Unit:
		r, err := registry.GetUnit(ctx, &registryv1.GetUnitRequest{Name: of})
		return r.GetUnit(), err
	case *registryv1.Write_Task:
		r, err := registry.GetTask(ctx, &registryv1.GetTaskRequest{Name: of})
		return r.GetTask(), err
	case *registryv1.Write_Target:
		r, err := registry.GetTarget(ctx, &registryv1.GetTargetRequest{Name: of})
		return r.GetTarget(), err
	case *registryv1.Write_Allocation:
		r, err := registry.GetAllocation(ctx, &registryv1.GetAllocationRequest{Name: of})
		return r.GetAllocation(), err
	case *registryv1.Write_Calendar:
		r, err := registry.GetCalendar(ctx, &registryv1.GetCalendarRequest{Name: of})
		return r.GetCalendar(), err
	case *registryv1.Write_Regime:
		r, err := registry.GetRegime(ctx, &registryv1.GetRegimeRequest{Name: of})
		return r.GetRegime(), err
	}
	return nil, fmt.Errorf("a write holds a %T", w.GetResource())
}

// Diff lists the fields in which two messages of one type differ, in the order of
// the contract; members of lists are compared place by place.
func Diff(before, after proto.Message) []Difference {
	return diffMessage("", before.ProtoReflect(), after.ProtoReflect())
}

func diffMessage(at string, before, after protoreflect.Message) []Difference {
	var all []Difference
	fields := after.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !before.Has(f) && !after.Has(f) {
			continue
		}
		path := strings.TrimPrefix(at+"."+string(f.Name()), ".")
		switch {
		case f.IsList():
			all = append(all, diffList(path, f, before.Get(f).List(), after.Get(f).List())...)
		case f.Message() != nil && before.Has(f) && after.Has(f):
			all = append(all, diffMessage(path, before.Get(f).Message(), after.Get(f).Message())...)
		default:
			all = append(all, diffValue(path, f, optional(before, f), optional(after, f))...)
		}
	}
	return all
}

// optional is a field's value, not valid when it is not set. A plain number or text
// that is not set counts as set where the other side is: it reads as 0 or "".
func optional(m protoreflect.Message, f protoreflect.FieldDescriptor) protoreflect.Value {
	if f.HasPresence() && !m.Has(f) {
		return protoreflect.Value{}
	}
	return m.Get(f)
}

func diffList(path string, f protoreflect.FieldDescriptor, before, after protoreflect.List) []Difference {
	var all []Difference
	for i := range max(before.Len(), after.Len()) {
		at := fmt.Sprintf("%s[%d]", path, i)
		var old, now protoreflect.Value
		if i < before.Len() {
			old = before.Get(i)
		}
		if i < after.Len() {
			now = after.Get(i)
		}
		if f.Message() != nil && old.IsValid() && now.IsValid() {
			all = append(all, diffMessage(at, old.Message(), now.Message())...)
			continue
		}
		all = append(all, diffValue(at, f, old, now)...)
	}
	return all
}

func diffValue(path string, f protoreflect.FieldDescriptor, before, after protoreflect.Value) []Difference {
	d := Difference{Path: path, Before: valueText(f, before), After: valueText(f, after)}
	if d.Before == d.After {
		return nil
	}
	return []Difference{d}
}

// valueText writes a value as the files of resources do; empty for one that is not set.
func valueText(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case !v.IsValid():
		return ""
	case f.Message() != nil:
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(v.Message().Interface())
		if err != nil {
			return err.Error()
		}
		var one bytes.Buffer // protojson varies its blanks from build to build
		if err := json.Compact(&one, text); err != nil {
			return err.Error()
		}
		return one.String()
	case f.Enum() != nil:
		if known := f.Enum().Values().ByNumber(v.Enum()); known != nil {
			return string(known.Name())
		}
		return fmt.Sprint(v.Enum())
	case f.Kind() == protoreflect.StringKind:
		return fmt.Sprintf("%q", v.String())
	}
	return v.String()
}

// Summary counts the changes by what they would do.
func Summary(changes []Change) Counts {
	var c Counts
	for _, change := range changes {
		switch {
		case change.New:
			c.Created++
		case len(change.Differences) > 0:
			c.Updated++
		default:
			c.Unchanged++
		}
	}
	return c
}

// KindsOf lists the kinds that occur, in the contract's order.
func KindsOf(o Outcome) []string {
	return slices.DeleteFunc(Kinds(), func(k string) bool { return o.Kinds[k] == nil })
}
