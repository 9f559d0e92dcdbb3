package reporting

import (
	"testing"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// TestDeclareEpoch_is_for_a_restored_log: all subscribers have to begin anew after it.
func TestDeclareEpoch_is_for_a_restored_log(t *testing.T) {
	l := newLeader(t, "2022-07-01", 1)
	relay := &stranger{}
	l.s.publisher = relay
	declare := func(epoch uint32, force bool) error {
		_, err := l.s.DeclareEpoch(t.Context(), &reportingv1.DeclareEpochRequest{ExpectedEpoch: epoch, Reason: "restored", Force: force})
		return err
	}
	wantRefused(t, declare(1, false), errorv1.Reason_REASON_NOT_DECLARABLE, "expected_epoch")
	wantRefused(t, declare(2, false), errorv1.Reason_REASON_EPOCH_MISMATCH, "expected_epoch")
	relay.tampered = "no relay of this log wrote message 120"
	wantRefused(t, declare(1, false), errorv1.Reason_REASON_NOT_DECLARABLE, "expected_epoch")
	if now := l.s.engine.Head().Epoch; now != 1 {
		t.Fatalf("the log is of epoch %d", now)
	}
	if err := declare(1, true); err != nil {
		t.Errorf("forced: %v", err)
	}
	relay.tampered, relay.restored = "", "the stream is at 120, ahead of the log at 100"
	if err := declare(2, false); err != nil {
		t.Errorf("after a restore: %v", err)
	}
	wantRefused(t, declare(2, false), errorv1.Reason_REASON_EPOCH_MISMATCH, "expected_epoch")
}

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
