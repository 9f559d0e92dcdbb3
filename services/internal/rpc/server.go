// Package rpc builds the gRPC servers of both services: limits, and what happens
// to every call before and after its handler. A handler gets only messages that
// keep the contract's rules, and may return any error: callers see a reason or a
// request id, never a driver's words.
package rpc

import (
	"context"
	"strings"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/wire"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Limits of every server; grpc-go's own defaults are open.
const (
	maxBatchBytes      = 4 << 20
	maxMessageBytes    = 1 << 20 // of all but a batch
	maxHeaderBytes     = 16 << 10
	maxStreams         = 250
	connectionTimeout  = 10 * time.Second
	keepaliveMinimum   = 30 * time.Second
	keepaliveIdle      = 20 * time.Second // with the wait below, a dead peer is found in 30 s
	keepaliveWait      = 10 * time.Second
	connectionAge      = 30 * time.Minute
	connectionAgeGrace = time.Minute
	defaultDeadline    = time.Minute
	// Goroutines that are kept to handle calls: as many as wait for a commit at once,
	// which saves growing a new stack for each.
	streamWorkers = 512
)

// Config is what a server is made of. The zero Config works, and logs nothing.
type Config struct {
	// Log gets a line for each call. Nil discards them.
	Log *zap.Logger
	// Metrics counts the calls. Nil counts nowhere.
	Metrics *obs.Metrics
	// Now is the time that durations are taken from; nil means time.Now.
	Now func() time.Time
	// Deadline is the longest that a unary call may take, whatever its caller
	// allows; 0 means one minute.
	Deadline time.Duration
	// Deadlines are other limits for single methods, by full name such as
	// `/cotmoc.reporting.v1.ReportingAdminService/Verify`; negative means none.
	Deadlines map[string]time.Duration
	// Stopping, when it is done, ends streams: a server that stops waits for its
	// calls, and a stream may never end by itself. Nil means never.
	Stopping context.Context
	// Deferred names, for a request, the message type whose contents the handler
	// checks itself by Checker.CheckAt, because a bad one shall not refuse the
	// whole request. Nil, or an empty name, means that all is checked before.
	Deferred func(req proto.Message) protoreflect.FullName
	// Guard finds out who calls and denies what is not theirs. Nil means development
	// mode: anybody may do everything.
	Guard *auth.Guard
}

// NewServer returns a server with Cotmoc's limits and interceptors. Options are
// applied after its own. Services are registered, and it is served, by the caller.
func NewServer(c Config, opts ...grpc.ServerOption) *grpc.Server {
	registerGzip()
	s := newInterceptor(c)
	own := append(Limits(), grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream),
		grpc.InTapHandle(s.arrive), grpc.UnknownServiceHandler(unknown), grpc.ForceServerCodecV2(newCodec()), grpc.Creds(plain{wire.New(wire.Limits{}, s.ended)}))
	return grpc.NewServer(append(own, opts...)...)
}

// ended tells of a connection without TLS that was ended for what its caller did.
func (s *interceptor) ended(c *wire.Conn, reason string) {
	if n := s.sample.Count("ended " + reason); n > 0 {
		s.c.Log.Warn("connection ended", zap.String("peer", c.Key()), zap.String("reason", reason), zap.Uint64("times", n))
	}
}

// Limits are the options of every server of ours, without what happens around a
// handler: what a server that does nothing has to have to be compared with one.
func Limits() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxBatchBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(connectionTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: keepaliveMinimum, PermitWithoutStream: true,
		}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: keepaliveIdle, Timeout: keepaliveWait,
			MaxConnectionAge: connectionAge, MaxConnectionAgeGrace: connectionAgeGrace,
		}),
		grpc.WaitForHandlers(true),
		grpc.NumStreamWorkers(streamWorkers),
	}
}

// newInterceptor fills in what the configuration leaves open.
func newInterceptor(c Config) *interceptor {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Stopping == nil {
		c.Stopping = context.Background()
	}
	if c.Deadline == 0 {
		c.Deadline = defaultDeadline
	}
	s := &interceptor{c: c, check: NewChecker(), subjects: newSubjects(), table: auth.Table(), streams: make(map[string]bool)}
	for method := range s.table {
		s.streams[method] = streams(method)
	}
	return s
}

// streams reports whether a method answers, or is asked, by more than one message.
func streams(method string) bool {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return true // not linked, and so not served
	}
	m := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(name))
	return m == nil || m.IsStreamingClient() || m.IsStreamingServer()
}
