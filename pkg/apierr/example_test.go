package apierr_test

import (
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"google.golang.org/grpc/codes"
)

func ExampleParse() {
	// What a client gets when it corrects a cell that another one corrected first.
	err := apierr.New(codes.Aborted, errorv1.Reason_REASON_REVISION_MISMATCH,
		"submission.expected_revision", "the cell is at revision 2", "expected", "1", "actual", "2")

	if e, ok := apierr.Parse(err); ok {
		fmt.Println(e.Code, e.Reason, e.Field)
		fmt.Println("now at", e.Metadata["actual"])
	}
	// Output:
	// Aborted REASON_REVISION_MISMATCH submission.expected_revision
	// now at 2
}

func ExampleIs() {
	err := apierr.New(codes.NotFound, errorv1.Reason_REASON_UNIT_NOT_FOUND, "submission.unit", "there is no unit 999")
	fmt.Println(apierr.Is(fmt.Errorf("report of July: %w", err), errorv1.Reason_REASON_UNIT_NOT_FOUND))
	// Output: true
}

func ExampleRetryDelay() {
	err := apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_BUSY, "", "too much is waiting")
	err = apierr.WithRetry(err, 100*time.Millisecond)
	d, ok := apierr.RetryDelay(err)
	fmt.Println(d, ok)
	// Output: 100ms true
}

func ExampleNewViolations() {
	err := apierr.NewViolations(codes.InvalidArgument, errorv1.Reason_REASON_NOT_ISSUABLE,
		"the task cannot be issued", []apierr.Violation{
			{Field: "task.acceptance", Description: "has no measurable acceptance"},
			{Field: "task.due", Description: "has no deadline"},
		})
	e, _ := apierr.Parse(err)
	for _, v := range e.Violations {
		fmt.Println(v.Field, v.Description)
	}
	// Output:
	// task.acceptance has no measurable acceptance
	// task.due has no deadline
}
