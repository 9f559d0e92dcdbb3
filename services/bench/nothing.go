package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// nothing is the limit: it answers with messages of the same shape and does nothing.
type nothing struct {
	reportingv1.UnimplementedReportingServiceServer
	reportingv1.UnimplementedProgressServiceServer
	listener
}

func openNothing() (process, error) {
	n := &nothing{}
	var err error
	n.listener, err = listen(func(s grpc.ServiceRegistrar) {
		reportingv1.RegisterReportingServiceServer(s, n)
		reportingv1.RegisterProgressServiceServer(s, n)
	})
	return n, err
}

func receipt() *reportingv1.Receipt {
	return &reportingv1.Receipt{Sequence: 1_234_567, Revision: 1, RegistryRevision: 11_416,
		AcceptTime: &timestamppb.Timestamp{Seconds: 1_700_000_000, Nanos: 123_456_000}}
}

// Submit answers.
func (n *nothing) Submit(context.Context, *reportingv1.SubmitRequest) (*reportingv1.SubmitResponse, error) {
	return &reportingv1.SubmitResponse{Receipt: receipt()}, nil
}

// SubmitBatch answers.
func (n *nothing) SubmitBatch(_ context.Context, req *reportingv1.SubmitBatchRequest) (*reportingv1.SubmitBatchResponse, error) {
	out := &reportingv1.SubmitBatchResponse{Results: make([]*reportingv1.BatchResult, len(req.GetItems()))}
	for i := range out.Results {
		out.Results[i] = &reportingv1.BatchResult{Receipt: receipt()}
	}
	return out, nil
}

// GetFigure answers.
func (n *nothing) GetFigure(_ context.Context, req *reportingv1.GetFigureRequest) (*reportingv1.GetFigureResponse, error) {
	goal := int64(10_000_000)
	k := req.GetKey()
	tally := &typev1.Tally{Numerator: 123_456, Reporting: 5000, Expected: 11_390}
	return &reportingv1.GetFigureResponse{Figure: &reportingv1.Figure{
		Programme: k.GetProgramme(), Target: k.GetTarget(), Unit: k.GetUnit(), UnitDisplayName: "Đơn vị hành chính số 00001",
		UnitKind: typev1.UnitKind_UNIT_KIND_COMMUNE, UnitLevel: "commune", Basis: k.GetBasis(), Tally: tally,
		Qualifier: typev1.Qualifier_QUALIFIER_EXACT, ValueKind: typev1.ValueKind_VALUE_KIND_COUNT, Goal: &goal,
		ProgressPercent: "12.34", Own: &reportingv1.OwnCell{State: eventv1.CellState_CELL_STATE_REPORTED, Expected: true, Tally: tally,
			Qualifier: typev1.Qualifier_QUALIFIER_EXACT, Sequence: 1_234_567}, Sequence: 1_234_567}}, nil
}

func (n *nothing) tell(*answer) {}

func (n *nothing) close() error {
	n.server.Stop()
	return nil
}
