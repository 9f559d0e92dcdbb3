package registry_test

import (
	"context"
	"strings"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// bad is a call that must be refused, and how: code, reason and the fields to blame.
type bad struct {
	name   string
	call   func(ctx context.Context, r *rig) error
	code   codes.Code
	reason errorv1.Reason
	fields string // separated by blanks; the first is the error's own
}

const (
	invalid  = codes.InvalidArgument
	absent   = codes.NotFound
	taken    = codes.AlreadyExists
	failed   = codes.FailedPrecondition
	aborted  = codes.Aborted
	field    = errorv1.Reason_REASON_INVALID_FIELD
	reff     = errorv1.Reason_REASON_BAD_REFERENCE
	unissued = errorv1.Reason_REASON_NOT_ISSUABLE
	fixed    = errorv1.Reason_REASON_CHANGE_NOT_ALLOWED
	subtotal = errorv1.Reason_REASON_SUBTOTAL_FORBIDDEN
	exists   = errorv1.Reason_REASON_RESOURCE_EXISTS
	stale    = errorv1.Reason_REASON_REVISION_MISMATCH
)

// change applies a change to a resource made for the purpose.
func change[M proto.Message](m M, f func(M)) M {
	if f != nil {
		f(m)
	}
	return m
}

func addUnit(id string, f func(*registryv1.Unit)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		u := change(newUnit("x", "vn", province, "province"), f)
		u.Name = ""
		_, err := r.admin.CreateUnit(ctx, &registryv1.CreateUnitRequest{UnitId: id, Unit: u})
		return err
	}
}

func setUnit(id string, f func(*registryv1.Unit)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		got, err := r.read.GetUnit(ctx, &registryv1.GetUnitRequest{Name: "units/" + id})
		if err != nil {
			return err
		}
		_, err = r.admin.UpdateUnit(ctx, &registryv1.UpdateUnitRequest{Unit: change(got.GetUnit(), f)})
		return err
	}
}

func addProgramme(id string, f func(*registryv1.Programme)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.CreateProgramme(ctx, &registryv1.CreateProgrammeRequest{
			ProgrammeId: id, Programme: change(newProgramme(), f),
		})
		return err
	}
}

func setProgramme(f func(*registryv1.Programme)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.UpdateProgramme(ctx, &registryv1.UpdateProgrammeRequest{Programme: change(newProgramme(), f)})
		return err
	}
}

func addTask(id string, f func(*registryv1.Task)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.CreateTask(ctx, &registryv1.CreateTaskRequest{
			Parent: "programmes/p", TaskId: id, Task: change(newTask(""), f),
		})
		return err
	}
}

func setTask(id string, f func(*registryv1.Task)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.UpdateTask(ctx, &registryv1.UpdateTaskRequest{Task: change(newTask(id), f)})
		return err
	}
}

func addTarget(id string, kind typev1.ValueKind, f func(*registryv1.Target)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.CreateTarget(ctx, &registryv1.CreateTargetRequest{
			Parent: "programmes/p", TargetId: id, Target: change(newTarget("", kind), f),
		})
		return err
	}
}

func setTarget(id string, kind typev1.ValueKind, f func(*registryv1.Target)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.UpdateTarget(ctx, &registryv1.UpdateTargetRequest{Target: change(newTarget(id, kind), f)})
		return err
	}
}

func addAllocation(parent, unit string, f func(*registryv1.Allocation)) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.CreateAllocation(ctx, &registryv1.CreateAllocationRequest{
			Parent: parent, Unit: unit, Allocation: change(&registryv1.Allocation{Value: 1}, f),
		})
		return err
	}
}

func writes(resources ...proto.Message) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.admin.BatchWrite(ctx, batch(resources...))
		return err
	}
}

func TestBadInputIsRefusedExactlyAndChangesNothing(t *testing.T) {
	r := newRig(t)
	r.seed()
	r.seedTime()
	ctx := context.Background()
	head := r.head()
	seen := map[string]bool{}
	var all []bad
	for _, part := range [][]bad{badUnits(), badProgrammes(), badTasks(), badTargets(), badGoals(), badOthers(), badReads(),
		badCalendars(), badRegimes(), badPaths(), badChecks(), badScorecards(), badPersonal()} {
		all = append(all, part...)
	}
	for _, c := range all {
		if seen[c.name] {
			t.Errorf("two cases are called %q", c.name)
		}
		seen[c.name] = true
		err := c.call(ctx, r)
		e, _ := apierr.Parse(err)
		fields := make([]string, len(e.Violations))
		for i, v := range e.Violations {
			fields[i] = v.Field
		}
		got := strings.Join(fields, " ")
		first, _, _ := strings.Cut(c.fields, " ")
		if e.Code != c.code || e.Reason != c.reason || got != c.fields || e.Field != first || e.Metadata["field"] != first {
			t.Errorf("%s:\n got  %v %v %q\n want %v %v %q\n      %v", c.name, e.Code, e.Reason, got, c.code, c.reason, c.fields, err)
		}
		if now := r.head(); now != head {
			t.Fatalf("%s: the head moved from %d to %d", c.name, head, now)
		}
	}
	t.Logf("%d bad inputs", len(all))
	r.restart()
	if r.head() != head {
		t.Errorf("after a restart the head is %d", r.head())
	}
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func valueOf(s string) protoreflect.Value { return protoreflect.ValueOfString(s) }
