package client

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Session is the newest event that clients know of from their answers, refusals
// included. Their reads ask for a state that holds it, so that whichever replica
// answers, a caller sees what it wrote and never goes back behind what it was told. A
// new Session has seen nothing.
type Session struct{ sequence atomic.Uint64 }

// Sequence is the number of that event.
func (s *Session) Sequence() uint64 { return s.sequence.Load() }

// unary fills in min_sequence where a request has it and leaves it 0.
func (s *Session) unary(ctx context.Context, method string, req, resp any, conn *grpc.ClientConn,
	call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := call(ctx, method, s.fill(req), resp, conn, opts...)
	switch {
	case err == nil:
		s.note(sequenceOf(resp))
	case strings.HasPrefix(method, ofReporting): // the registry's refusals name events of another log
		e, _ := apierr.Parse(err)
		s.note(e.Sequence())
	}
	return err
}

// ofReporting begins the methods whose answers and refusals name events of the log of
// submissions.
const ofReporting = "/cotmoc.reporting."

// fill returns the request, or a copy that asks for what was seen.
func (s *Session) fill(req any) any {
	r, ok := req.(interface {
		proto.Message
		GetMinSequence() uint64
	})
	at := s.sequence.Load()
	if !ok || at == 0 || r.GetMinSequence() != 0 {
		return req
	}
	m := proto.Clone(r).ProtoReflect()
	m.Set(m.Descriptor().Fields().ByName("min_sequence"), protoreflect.ValueOfUint64(at))
	return m.Interface()
}

func (s *Session) note(sequence uint64) {
	for was := s.sequence.Load(); sequence > was; was = s.sequence.Load() {
		if s.sequence.CompareAndSwap(was, sequence) {
			return
		}
	}
}

// sequenceOf is the newest event that an answer of reporting tells of, 0 for none.
func sequenceOf(resp any) uint64 {
	switch r := resp.(type) {
	case *reportingv1.SubmitBatchResponse:
		var last uint64
		for _, result := range r.GetResults() {
			last = max(last, result.GetReceipt().GetSequence())
			if e, ok := apierr.Parse(apierr.OfItem(result.GetError())); ok {
				last = max(last, e.Sequence())
			}
		}
		return last
	case *reportingv1.SubmitResponse:
		last := r.GetReceipt().GetSequence()
		for _, figure := range r.GetFigures() { // newer than the receipt of a request sent again
			last = max(last, figure.GetSequence())
		}
		return last
	case interface {
		GetRecord() *reportingv1.SubmissionRecord
	}:
		return r.GetRecord().GetReceipt().GetSequence()
	case interface {
		GetRecords() []*reportingv1.SubmissionRecord
	}:
		var newest uint64
		for _, record := range r.GetRecords() {
			newest = max(newest, record.GetReceipt().GetSequence())
		}
		return newest
	case interface{ GetReceipt() *reportingv1.Receipt }:
		return r.GetReceipt().GetSequence()
	case interface{ GetHeadSequence() uint64 }:
		return r.GetHeadSequence()
	case interface{ GetClosing() *reportingv1.Closing }:
		return r.GetClosing().GetSequence()
	case interface{ GetFigure() *reportingv1.Figure }:
		return r.GetFigure().GetSequence()
	case *reportingv1.CompareDatesResponse:
		var newest uint64
		for _, figure := range r.GetFigures() {
			newest = max(newest, figure.GetSequence())
		}
		return newest
	case interface{ GetSequence() uint64 }:
		return r.GetSequence()
	}
	return 0
}
