package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

func TestSlice(t *testing.T) {
	r := inProcess(t)
	r.owe(t, tree()...)
	r.owe(t, target("cards", typev1.ValueKind_VALUE_KIND_COUNT, func(g *registryv1.Target) { g.Goal.Value = 100 }))
	r.submit(t, "a", &reportingv1.Submission{Unit: "26734", Target: "cards", Period: "2022-M01", Value: &reportingv1.Submission_Count{Count: 30}})
	r.submit(t, "b", &reportingv1.Submission{Unit: "26737", Target: "cards", Period: "2022-M01", Value: &reportingv1.Submission_Count{Count: 30}})
	for _, period := range []string{"", "2022-M01"} {
		got := r.figure(t, "cards", "vn", period)
		want := &typev1.Tally{Numerator: 60, Reporting: 2, Expected: 2}
		if diff := cmp.Diff(want, got.GetTally(), protocmp.Transform()); diff != "" {
			t.Errorf("total of %q (-want +got):\n%s", period, diff)
		}
	}
	got := milestones(t, r, "slice", 2)
	if diff := cmp.Diff([]string{"reached cards vn 2500", "reached cards vn 5000"}, got); diff != "" {
		t.Errorf("milestones (-want +got):\n%s", diff)
	}
}

// milestones reads n milestones from the stream, from its beginning.
func milestones(t *testing.T, r *rig, name string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	sub, err := event.New(event.Config{Conn: r.nats(t), Events: r.events, Subscription: name,
		Subjects: []string{"cotmoc.*.milestone.>"}, Positions: new(event.MemoryPositions)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = sub.Run(ctx, func(_ context.Context, e *eventv1.Event) error {
		c, word := e.GetMilestoneReached(), "reached "
		if c == nil {
			c, word = e.GetMilestoneRevoked(), "revoked "
		}
		got = append(got, fmt.Sprintf("%s%s %s %d", word, c.GetTarget(), c.GetPath(), c.GetProgressThreshold()))
		if len(got) == n {
			cancel()
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		t.Fatalf("subscribe: %v", err)
	}
	return got
}
