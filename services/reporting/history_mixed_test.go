package reporting

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// stranger is a relay that met a stream of another history, or one that is tampered with.
type stranger struct{ restored, tampered string }

func (s *stranger) Published() uint64 { return 0 }
func (s *stranger) Problem() string   { return s.restored + s.tampered }
func (s *stranger) Restored() string  { return s.restored }

func TestListEvents_gives_none_beside_a_stream_of_another_history(t *testing.T) {
	l := newLeader(t, "2022-01-03", 1)
	relay := &stranger{restored: "stream COTMOC-FACTS-1 is at 120, ahead of the log at 100"}
	l.s.publisher = relay
	list := func(after uint64) (*reportingv1.ListEventsResponse, error) {
		return l.s.ListEvents(t.Context(), &reportingv1.ListEventsRequest{AfterSequence: after})
	}
	head := l.s.engine.Head().Sequence
	resp, err := list(head - 1) // as a subscriber that saw more of the other
	if e, _ := apierr.Parse(err); e.Code != codes.Unavailable {
		t.Errorf("%d events were given, %v", len(resp.GetEvents()), err)
	}
	if resp, err := list(1 << 40); err != nil || resp.GetEpoch() != 1 {
		t.Errorf("which epoch it is: %v, %v", resp, err)
	}
	relay.restored, relay.tampered = "", "no relay of this log wrote message 120" // the log is as it was
	if resp, err := list(head - 1); err != nil || len(resp.GetEvents()) != 1 {
		t.Errorf("%v, %v", resp, err)
	}
}
