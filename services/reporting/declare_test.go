package reporting

import (
	"testing"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// TestNoCitizensDataInADeclaration: its reason is published with its event.
func TestNoCitizensDataInADeclaration(t *testing.T) {
	l := newLeader(t, "2022-07-01", 1)
	head := l.s.engine.Head()
	for _, reason := range []string{"gọi 0912 345 678", "an.nguyen@example.vn", "079123456789"} {
		_, err := l.s.DeclareEpoch(t.Context(), &reportingv1.DeclareEpochRequest{ExpectedEpoch: head.Epoch, Reason: reason})
		wantRefused(t, err, errorv1.Reason_REASON_PERSONAL_DATA, "reason")
		_, err = l.s.RaiseLevel(t.Context(), &reportingv1.RaiseLevelRequest{Level: head.Level + 1, Reason: reason})
		wantRefused(t, err, errorv1.Reason_REASON_PERSONAL_DATA, "reason")
	}
	if now := l.s.engine.Head(); now.Sequence != head.Sequence {
		t.Errorf("the log went from %d to %d", head.Sequence, now.Sequence)
	}
}
