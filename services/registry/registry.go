// Package registry serves what is owed: it reads and changes programmes, units,
// tasks, targets, allocations, calendars and regimes, and lets others follow the
// changes.
//
// A write is answered when it is durable. A refused write changes nothing and
// names every field to blame.
package registry

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/registry/book"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

const (
	defaultPage      = 100
	defaultHeartbeat = 10 * time.Second
)

// Config is what a service is made of. Engine is required.
type Config struct {
	// Engine holds the registry's ledger.
	Engine *ledger.Engine[*book.Book]
	// Log gets what goes wrong beside calls; nil discards it.
	Log *zap.Logger
	// Now is the time by which lists of units say "today"; nil means time.Now.
	Now func() time.Time
	// Heartbeat is the longest silence on a watch; 0 means 10 seconds.
	Heartbeat time.Duration
}

// Service serves RegistryService and RegistryAdminService. Its server must check
// requests as rpc.NewServer does, with Deferred.
type Service struct {
	registryv1.UnimplementedRegistryServiceServer
	registryv1.UnimplementedRegistryAdminServiceServer

	engine    *ledger.Engine[*book.Book]
	log       *zap.Logger
	now       func() time.Time
	heartbeat time.Duration
	check     *rpc.Checker

	stopping context.Context
	stop     context.CancelFunc
}

// New returns a service.
func New(c Config) (*Service, error) {
	if c.Engine == nil {
		return nil, errors.New("registry: no engine")
	}
	s := &Service{engine: c.Engine, log: c.Log, now: c.Now, heartbeat: c.Heartbeat, check: rpc.NewChecker()}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.heartbeat <= 0 {
		s.heartbeat = defaultHeartbeat
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Register makes a server serve s.
func (s *Service) Register(server grpc.ServiceRegistrar) {
	registryv1.RegisterRegistryServiceServer(server, s)
	registryv1.RegisterRegistryAdminServiceServer(server, s)
}

// Stop ends all watches. A server that waits for its handlers is stopped after it.
func (s *Service) Stop() { s.stop() }

// Deferred is for rpc.Config: what an update with a mask gives need not be whole,
// so it is checked after it was put on top of the present version.
func Deferred(req proto.Message) protoreflect.FullName {
	m, ok := req.(interface {
		GetUpdateMask() *fieldmaskpb.FieldMask
	})
	if !ok || len(m.GetUpdateMask().GetPaths()) == 0 {
		return ""
	}
	fields := req.ProtoReflect().Descriptor().Fields()
	return fields.ByNumber(1).Message().FullName() // by the contract, what is updated comes first
}

// freshWithin bounds how long a read waits for what other replicas wrote.
const freshWithin = time.Second

// fresh brings this replica to where the log is, so that a caller sees what it wrote
// through another. While the database is away, reads go on with what was seen last.
func (s *Service) fresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, freshWithin)
	defer cancel()
	if err := s.engine.Fresh(ctx); err != nil {
		s.log.Debug("read from what was seen last", zap.Error(err))
	}
}

// view reads the book.
func (s *Service) view(ctx context.Context, read func(*book.Book) error) error {
	s.fresh(ctx)
	return s.engine.View(ctx, 0, read)
}

// decide runs a write and waits until it is durable, or only tries it. A refusal names
// where the log was when it was decided.
func (s *Service) decide(ctx context.Context, tryOnly bool, write func(*book.Book) error) error {
	if tryOnly {
		head, err := s.engine.Try(ctx, write)
		return apierr.WithSequence(fail(err), head.Sequence)
	}
	done, err := s.engine.Do(ctx, write)
	return apierr.WithSequence(fail(err), done.Head.Sequence)
}

// create is how a resource is created.
func create() book.How { return book.How{Mode: book.Create} }

// update is how a resource is updated; kind is its field in the request.
func (s *Service) update(kind string, mask *fieldmaskpb.FieldMask) book.How {
	return book.How{
		Mode: book.Update, Mask: mask.GetPaths(),
		Check: func(m proto.Message) error { return s.check.CheckAt(kind, m) },
	}
}

// rowsAUnit is how many resources of a list are looked at for one unit of an allowance.
const rowsAUnit = 300

// listing is a list request under way.
type listing struct {
	book.Page
	ctx  context.Context
	rows int
	err  error // why it was ended before its time
}

// pageOf reads what a list request says of its page.
func pageOf(ctx context.Context, req interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}) (*listing, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	l := &listing{Page: book.Page{After: after, Limit: int(req.GetPageSize())}, ctx: ctx}
	if l.Limit == 0 {
		l.Limit = defaultPage
	}
	l.Look = l.look
	return l, err
}

// look counts a resource and reports whether anybody waits for it yet.
func (l *listing) look() bool {
	if l.rows++; l.rows%1024 == 0 {
		l.err = l.ctx.Err()
	}
	return l.err == nil
}

// done charges the caller for what was looked at, and says what became of the request.
func (l *listing) done(err error) error {
	auth.Charge(l.ctx, l.rows/rowsAUnit)
	return cmp.Or(err, l.err)
}

// tokenOf is the token of the page after key, empty for an empty key.
func tokenOf(req proto.Message, key string) string {
	if key == "" {
		return ""
	}
	return rpc.EncodePageToken(req, key)
}

// fit cuts a page to what an answer holds. next is the name to go on after.
func fit[M interface {
	proto.Message
	GetName() string
}](page []M, next string) ([]M, string) {
	if n := rpc.Fit(page, 0); n < len(page) {
		return page[:n], page[n-1].GetName()
	}
	return page, next
}
