package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/wire"
)

// retryRoom is when a caller may try again that was refused for want of room.
const retryRoom = 200 * time.Millisecond

// lostUnits is what a call costs that never arrived as a whole: a message of most bytes may
// have been unpacked before it was found to be too large.
const lostUnits = 100

// arrival is a call from its first header on.
type arrival struct {
	id     string     // of the call, in the log
	conn   *wire.Conn // nil where connections are not watched
	call   *wire.Call
	header int // bytes
	cancel context.CancelFunc
	// crowded says that the call was refused for what others hold.
	crowded bool
	// refusal is what the call is answered when its request is there; nil where it was let in.
	refusal error
}

// arrivalKey is the key of the arrival in a call's context.
type arrivalKey struct{}

func arrivalOf(ctx context.Context) *arrival {
	a, _ := ctx.Value(arrivalKey{}).(*arrival)
	return a
}

// connOf is the connection that a call came over.
func connOf(ctx context.Context) *wire.Conn {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	if w, ok := p.AuthInfo.(interface{ Wire() *wire.Conn }); ok {
		return w.Wire()
	}
	return nil
}

// arrive looks at a call when its header has come, and nothing else: whether there is such
// a method, who calls and in which role, what that caller holds already. What is refused
// here has cost a few microseconds, whatever it was going to send. gRPC calls it from the
// goroutine that reads the connection.
//
// A call with a deadline is refused a little later, when gRPC has its request, which nobody
// looks at: gRPC does not stop the timer of a call that is refused here, and callers with
// deadlines far away could fill the memory with timers.
func (s *interceptor) arrive(ctx context.Context, info *tap.Info) (context.Context, error) {
	began := s.c.Now()
	_, timed := ctx.Deadline()
	a := &arrival{id: callID(info.Header), conn: connOf(ctx), header: sizeOf(info.Header)}
	ctx, a.cancel = s.capped(context.WithValue(ctx, arrivalKey{}, a), info.FullMethodName)
	known, err := s.admit(ctx, a, info.FullMethodName)
	if err == nil {
		return known, nil
	}
	out := outcome(known, err, a.id)
	if a.crowded {
		s.refused(a, err)
	} else {
		s.refused(a, err, errorv1.Reason_REASON_BUSY) // of what it holds already, not of the ledger
	}
	s.record(known, info.FullMethodName, nil, s.c.Now().Sub(began), err, out)
	a.cancel()
	if !timed {
		return ctx, out
	}
	a.refusal = out
	ctx, a.cancel = context.WithTimeout(context.WithoutCancel(ctx), refuseWithin)
	return ctx, nil
}

// unknown answers calls of methods that are not served here.
func unknown(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	return status.Errorf(codes.Unimplemented, "the method %.120q is not served on this port", method)
}

// refuseWithin is how long the request of a call may take that is refused when it is there.
const refuseWithin = 2 * time.Second

// admit says why a call may not come in.
func (s *interceptor) admit(ctx context.Context, a *arrival, method string) (context.Context, error) {
	if s.c.Guard != nil {
		var err error
		if ctx, err = s.c.Guard.Arrive(ctx, method); err != nil {
			return ctx, err
		}
	}
	if _, known := s.table[method]; !known {
		return ctx, status.Errorf(codes.Unimplemented, "there is no method %.120q here", method)
	}
	if a.conn == nil {
		return ctx, nil
	}
	var err error
	a.call, err = a.conn.Account().Begin(ctx, a.cancel, s.streams[method], a.header, func(why error) { s.lost(ctx, method, why) })
	a.crowded = errors.Is(err, wire.ErrCrowded)
	return ctx, noRoom(err)
}

// noRoom is what the caller sees of a bound of package wire.
func noRoom(err error) error {
	if err == nil {
		return nil
	}
	return apierr.WithRetry(apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_BUSY, "",
		err.Error()+"; send the same request again when some have ended"), retryRoom)
}

// sizeOf is about how much memory a call's header takes.
func sizeOf(header metadata.MD) (n int) {
	for key, values := range header {
		n += len(key)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// refused tells the connection of a call that was above its caller's allowance, or that its
// certificate is not good for: one that goes on all the same is hung up on.
func (s *interceptor) refused(a *arrival, err error, reasons ...errorv1.Reason) {
	if a.conn != nil && slices.Contains(append(reasons, errorv1.Reason_REASON_RATE_LIMITED, errorv1.Reason_REASON_UNAUTHENTICATED), apierr.ReasonOf(err)) {
		a.conn.Refused()
	}
}

// lost records a call that ended before its request had arrived. Its caller has its answer
// already, or is gone. What was unpacked of it in vain is charged.
func (s *interceptor) lost(ctx context.Context, method string, why error) {
	auth.Charge(ctx, lostUnits)
	code := codes.Canceled
	if errors.Is(why, wire.ErrLate) || errors.Is(why, context.DeadlineExceeded) {
		code = codes.DeadlineExceeded
	}
	s.record(ctx, method, nil, 0, why, status.Error(code, why.Error()))
}

// read makes of the bytes of a request the message, once it is known that it may: its size
// and the number of its elements are those of the method, and its caller's allowance pays
// for it.
func (s *interceptor) read(ctx context.Context, msg proto.Message) error {
	raw := rawOf(msg)
	if raw == nil {
		return nil // not off the wire
	}
	if len(raw) > maxMessageBytes && !isBatch(msg) {
		auth.Charge(ctx, len(raw)/auth.BytesPerUnit)
		return apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_TOO_LARGE, "",
			fmt.Sprintf("the request has %d bytes; %d are the most", len(raw), maxMessageBytes))
	}
	elements, items, fault := s.shapes.of(msg.ProtoReflect().Descriptor()).scan(raw)
	if fault != nil {
		auth.Charge(ctx, len(raw)/auth.BytesPerUnit)
		return invalid(fault.field, fault.what)
	}
	if a := arrivalOf(ctx); a != nil && a.call != nil {
		if err := a.call.Hold(elements * bytesPerElement); err != nil {
			return noRoom(err)
		}
	}
	if s.c.Guard != nil {
		if err := s.c.Guard.Allow(ctx, items, len(raw)); err != nil {
			return err
		}
	}
	if err := (proto.UnmarshalOptions{RecursionLimit: maxNesting + 1}).Unmarshal(raw, msg); err != nil {
		return invalid("", malformed.what)
	}
	return nil
}

// invalid is a request that breaks one rule.
func invalid(field, what string) error {
	text := what
	if field != "" {
		text = field + ": " + what
	}
	return apierr.NewViolations(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD, text,
		[]apierr.Violation{{Field: field, Description: what}})
}
