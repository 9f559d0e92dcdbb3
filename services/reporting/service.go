// Package reporting takes in what units submit, keeps every total live, and reads
// what it all adds up to. A submission is answered when it is durable, with all
// that follows from it: totals, milestones, completed tasks.
package reporting

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// Engine is the ledger of a reporting service.
type Engine = ledger.Engine[*book.Book]

// Publisher is what the service knows of the relay that publishes its log.
type Publisher interface {
	// Published is the last number on the stream.
	Published() uint64
	// Problem says why nothing is published; empty when all is well.
	Problem() string
	// Restored says in what the stream is of another history than the log, which was
	// restored from a backup: subscribers may have seen events that the log does not have.
	// It is empty as far as is known, also where somebody else wrote to the stream.
	Restored() string
}

// Config is what a service is made of. Engine is required.
type Config struct {
	// Engine holds the reporting ledger.
	Engine *Engine
	// Directory follows the registry; nil when nothing does, as in some tests.
	Directory *Directory
	// JetStream is where subscribers' consumers are made; nil when there is no NATS.
	JetStream jetstream.JetStream
	// NATSURLs is where subscribers outside this process reach NATS; may be empty.
	NATSURLs []string
	// Publisher is the relay; nil when there is none.
	Publisher Publisher
	// Clock is the manual clock; nil when time goes by itself.
	Clock *Clock
	// Log gets what goes wrong beside calls; nil discards it.
	Log *zap.Logger
}

// Service serves all of cotmoc.reporting.v1. Its server must check requests as
// rpc.NewServer does, with Deferred.
type Service struct {
	reportingv1.UnimplementedReportingServiceServer
	reportingv1.UnimplementedProgressServiceServer
	reportingv1.UnimplementedEventServiceServer
	reportingv1.UnimplementedReportingAdminServiceServer
	reportingv1.UnimplementedMonitoringServiceServer
	reportingv1.UnimplementedReviewServiceServer

	engine    *Engine
	directory *Directory
	js        jetstream.JetStream
	natsURLs  []string
	publisher Publisher
	clock     *Clock
	log       *zap.Logger
	check     *rpc.Checker
	verifying chan struct{} // holds one while Verify is at work
}

// New returns a service.
func New(c Config) (*Service, error) {
	if c.Engine == nil {
		return nil, errors.New("reporting: no engine")
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return &Service{engine: c.Engine, directory: c.Directory, js: c.JetStream, natsURLs: c.NATSURLs,
		publisher: c.Publisher, clock: c.Clock, log: c.Log, check: rpc.NewChecker(), verifying: make(chan struct{}, 1)}, nil
}

// Register makes a server serve s.
func (s *Service) Register(server grpc.ServiceRegistrar) {
	reportingv1.RegisterReportingServiceServer(server, s)
	reportingv1.RegisterProgressServiceServer(server, s)
	reportingv1.RegisterEventServiceServer(server, s)
	reportingv1.RegisterReportingAdminServiceServer(server, s)
	reportingv1.RegisterMonitoringServiceServer(server, s)
	reportingv1.RegisterReviewServiceServer(server, s)
}

// Deadlines are the calls that may take longer than others, for rpc.Config.
func Deadlines() map[string]time.Duration {
	return map[string]time.Duration{reportingv1.ReportingAdminService_Verify_FullMethodName: time.Hour}
}

// Deferred is for rpc.Config: in a batch whose items stand each for itself, a bad
// item does not refuse the others, so items are checked by the handler.
func Deferred(req proto.Message) protoreflect.FullName {
	if batch, ok := req.(*reportingv1.SubmitBatchRequest); ok && batch.GetMode() == reportingv1.BatchMode_BATCH_MODE_PER_ITEM {
		return (&reportingv1.BatchItem{}).ProtoReflect().Descriptor().FullName()
	}
	return ""
}

// local is a time in a message, as it is where the units are.
func local(t time.Time) string { return t.In(time.FixedZone("", 7*60*60)).Format(time.RFC3339) }

// viewAt reads the book as it was known at a time; nil means as it is now, once it
// has seen minSequence.
func (s *Service) viewAt(ctx context.Context, known *timestamppb.Timestamp, minSequence uint64, read func(*book.Book) error) error {
	if known == nil {
		return s.view(ctx, minSequence, read)
	}
	if err := known.CheckValid(); err != nil {
		return refuse(errorv1.Reason_REASON_INVALID_FIELD, "known_at", "%v", err)
	}
	at := known.AsTime()
	if !at.Before(s.engine.Head().Time) {
		if err := s.reachedBy(ctx, at); err != nil {
			return err
		}
	}
	if !at.Before(s.engine.Head().Time) {
		return s.view(ctx, minSequence, read) // nothing came after it
	}
	b, _, took, err := s.engine.KnownAt(ctx, at)
	auth.Charge(ctx, int(took/unitTime)) // a build is work of one processor
	if err != nil {
		return err
	}
	run, charge := metered(ctx, 0, read)
	defer charge()
	err = run(b)
	var unknown *book.Refusal
	if isUnknown(err) && errors.As(err, &unknown) {
		unknown.Message += ", as it was known then"
	}
	return fail(err)
}

// reachedBy refuses a time that is not over, by the clock that stamps events, and sees to
// it that this replica has what the others accepted until then.
func (s *Service) reachedBy(ctx context.Context, at time.Time) error {
	now, err := s.engine.Now(ctx)
	if err != nil {
		return err
	}
	if at.After(now) {
		return refuse(errorv1.Reason_REASON_DATE_IN_FUTURE, "known_at", "nobody knows yet what will be known at %s", local(at))
	}
	return s.engine.Fresh(ctx)
}

// now is the service's time.
func (s *Service) now() time.Time {
	if s.clock != nil {
		return s.clock.Now()
	}
	return time.Now()
}

// view reads the book once it has seen minSequence. When read reports that an id
// is unknown, the copy of the registry is brought up to date and read again. What turns
// out to be long is broken off and read anew beside those who write: read must begin
// with nothing each time.
func (s *Service) view(ctx context.Context, minSequence uint64, read func(*book.Book) error) error {
	run, charge := metered(ctx, mostUnderLock, read)
	defer charge()
	err := s.engine.View(ctx, minSequence, run)
	if isUnknown(err) && s.directory.CatchUp(ctx) {
		err = s.engine.View(ctx, minSequence, run)
	}
	if errors.Is(err, book.ErrLong) {
		err = s.apart(ctx, read)
	}
	return fail(err)
}
