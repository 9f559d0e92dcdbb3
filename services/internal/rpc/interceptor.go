package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// interceptor is what happens around every handler.
type interceptor struct {
	c        Config
	check    *Checker
	subjects *subjects
	table    map[string]auth.Row // of all methods there are
	streams  map[string]bool     // those of more than one message
	shapes   shapes
	sample   obs.Sampler
}

// unary handles a call from where arrive left it: request, checks, permission, handler,
// error, metrics, log.
func (s *interceptor) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	start := s.c.Now()
	a := arrivalOf(ctx)
	if a == nil { // a handler's test, without a connection
		a = &arrival{id: callID(nil)}
		ctx, a.cancel = s.capped(context.WithValue(ctx, arrivalKey{}, a), info.FullMethod)
	}
	defer a.end()
	// Without a transport stream there is no header.
	_ = grpc.SetHeader(ctx, idHeader(a.id))
	if a.refusal != nil {
		return nil, a.refusal
	}
	resp, err := s.handle(ctx, info.FullMethod, req, h)
	if err == nil && a.conn != nil && !s.table[info.FullMethod].Writes { // what was done is told in any case
		err = noRoom(a.conn.Room())
	}
	if err != nil {
		s.refused(a, err)
	}
	out := outcome(ctx, err, a.id)
	took := s.c.Now().Sub(start)
	if m := s.c.Metrics; m != nil {
		m.CallSeconds.WithLabelValues(info.FullMethod).Observe(took.Seconds())
	}
	s.record(ctx, info.FullMethod, req, took, err, out)
	switch {
	case out != nil:
		return nil, out
	case a.conn != nil:
		return &answer{resp, a.conn, streamID(ctx)}, nil
	}
	return resp, nil
}

// stream is unary for streaming calls, without a deadline of our own. The message
// that it logs is the first that the caller sent.
func (s *interceptor) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	start := s.c.Now()
	ctx, cancel := context.WithCancelCause(ss.Context())
	defer cancel(nil)
	a := arrivalOf(ctx)
	if a == nil {
		a = &arrival{id: callID(nil), cancel: func() {}}
	}
	defer a.end()
	_ = ss.SetHeader(idHeader(a.id))
	if a.refusal != nil {
		return a.refusal
	}
	defer context.AfterFunc(s.c.Stopping, func() { cancel(ledger.ErrStopped) })()
	cs := &checkedStream{ServerStream: ss, ctx: ctx, s: s, a: a, method: info.FullMethod}
	err := s.follow(cs, func() error { return h(srv, cs) })
	if err != nil && errors.Is(context.Cause(ctx), ledger.ErrStopped) {
		err = ledger.ErrStopped // whatever the handler made of it
	}
	s.refused(a, err)
	out := outcome(ctx, err, a.id)
	s.record(cs.ctx, info.FullMethod, cs.first, s.c.Now().Sub(start), err, out)
	return out
}

// follow runs a stream for as long as its caller's certificate is good.
func (s *interceptor) follow(cs *checkedStream, run func() error) (err error) {
	if s.c.Guard != nil {
		held, release := s.c.Guard.Hold(cs.ctx)
		defer release()
		cs.ctx = held
	}
	_, err = s.guarded(func() (any, error) { return nil, run() })
	var lost *apierr.Error
	if err != nil && errors.As(context.Cause(cs.ctx), &lost) {
		return lost // whatever the handler made of it
	}
	return err
}

// handle reads and checks the request, lets the handler answer it and leaves out of the
// answer what the caller may not see.
func (s *interceptor) handle(ctx context.Context, method string, req any, h grpc.UnaryHandler) (any, error) {
	return s.guarded(func() (any, error) {
		msg, ok := req.(proto.Message)
		if !ok {
			return nil, fmt.Errorf("a %T is no message", req)
		}
		if err := s.open(ctx, method, msg); err != nil {
			return nil, err
		}
		if s.c.Guard == nil {
			return h(ctx, req)
		}
		leave, err := s.c.Guard.Place(ctx, method, msg)
		defer leave()
		if err != nil {
			return nil, err
		}
		resp, err := h(ctx, req)
		if err != nil {
			return nil, err
		}
		return resp, s.c.Guard.Show(ctx, method, msg, resp.(proto.Message))
	})
}

// open reads a request and refuses one that is above its caller's allowance, does not keep
// the contract's rules or is not its caller's to send.
func (s *interceptor) open(ctx context.Context, method string, msg proto.Message) error {
	if a := arrivalOf(ctx); a != nil && a.call != nil {
		a.call.Arrived()
	}
	if ctx.Err() != nil { // its caller has gone
		return context.Cause(ctx)
	}
	if err := s.read(ctx, msg); err != nil {
		return err
	}
	except := protoreflect.FullName("")
	if s.c.Deferred != nil {
		except = s.c.Deferred(msg)
	}
	if err := s.check.check("", msg, except, s.table[method].Writes); err != nil {
		return err
	}
	if s.c.Guard == nil {
		return nil
	}
	return s.c.Guard.Permit(ctx, method, msg)
}

// end says that a call is over.
func (a *arrival) end() {
	if a.call != nil {
		a.call.End()
	}
	a.cancel()
}

// guarded turns a panic into an error, which outcome takes for a defect.
func (s *interceptor) guarded(f func() (any, error)) (resp any, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
			if s.c.Metrics != nil {
				s.c.Metrics.Panics.Inc()
			}
		}
	}()
	return f()
}

// isBatch reports whether a message holds many of what others hold one of.
func isBatch(msg proto.Message) bool {
	switch msg.(type) {
	case *reportingv1.SubmitBatchRequest, *registryv1.BatchWriteRequest:
		return true
	}
	return false
}

// capped gives ctx the method's deadline, unless it has an earlier one.
func (s *interceptor) capped(ctx context.Context, method string) (context.Context, context.CancelFunc) {
	d, ok := s.c.Deadlines[method]
	if !ok {
		d = s.c.Deadline
	}
	if d < 0 || s.streams[method] {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// record writes the line of a call and counts it. err is what the handler
// returned, which only the log may see; out is what the caller gets. Refusals of one kind
// to one caller have a line now and then, with their number: nobody fills the log by being
// refused. Defects have a line each.
func (s *interceptor) record(ctx context.Context, method string, req any, took time.Duration, err, out error) {
	e, _ := apierr.Parse(out)
	reason := ""
	if e.Reason != 0 {
		reason = reasonWord(e.Reason)
	}
	if _, known := s.table[method]; !known {
		method = "unknown" // callers do not name metrics
	}
	if m := s.c.Metrics; m != nil {
		m.Calls.WithLabelValues(method, e.Code.String(), reason).Inc()
	}
	fields := make([]zap.Field, 0, 14)
	fields = append(fields, zap.String("method", method), zap.String("request_id", RequestID(ctx)))
	who := auth.URI(ctx)
	if who != "" {
		fields = append(fields, zap.String("caller", who))
	}
	if out == nil {
		fields = s.subjects.append(fields, req)
		s.c.Log.Info("call", append(fields, zap.String("code", e.Code.String()), zap.Duration("duration", took))...)
		return
	}
	if p, ok := peer.FromContext(ctx); ok {
		fields = append(fields, zap.Stringer("peer", p.Addr))
		if who == "" {
			who = hostOf(p.Addr)
		}
	}
	level := levelOf(e.Code, err)
	times := uint64(1)
	if level != zap.ErrorLevel {
		if times = s.sample.Count(who + " " + method + " " + e.Code.String() + " " + reason); times == 0 {
			return
		}
	}
	fields = s.subjects.append(fields, req)
	s.c.Log.Log(level, "call", append(fields, zap.String("code", e.Code.String()), zap.Duration("duration", took),
		zap.String("reason", reason), zap.String("field", cut(e.Field)), zap.Uint64("times", times), zap.Error(err))...)
}

// levelOf is how loud the line of a refusal is.
func levelOf(code codes.Code, err error) zapcore.Level {
	switch code {
	case codes.Internal:
		return zap.ErrorLevel
	case codes.Unavailable:
		if errors.Is(err, ledger.ErrStopped) { // a stop was asked for
			return zap.InfoLevel
		}
		return zap.WarnLevel
	case codes.PermissionDenied, codes.Unauthenticated:
		return zap.WarnLevel
	}
	return zap.InfoLevel
}

// hostOf is an address without its port.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// checkedStream checks what the caller sends.
type checkedStream struct {
	grpc.ServerStream
	ctx    context.Context
	s      *interceptor
	a      *arrival
	method string
	first  any
}

// Context carries the request id, and ends with the server.
func (cs *checkedStream) Context() context.Context { return cs.ctx }

// RecvMsg returns the next message that keeps the contract's rules.
func (cs *checkedStream) RecvMsg(m any) error {
	got := make(chan error, 1)
	go func() { got <- cs.ServerStream.RecvMsg(m) }() // ends with the call at the latest
	select {
	case err := <-got:
		if err != nil {
			return err
		}
	case <-cs.ctx.Done():
		return context.Cause(cs.ctx)
	}
	if cs.first == nil {
		cs.first = m
	}
	return cs.s.open(cs.ctx, cs.method, m.(proto.Message))
}

// SendMsg sends the next message.
func (cs *checkedStream) SendMsg(m any) error {
	if cs.a.conn == nil {
		return cs.ServerStream.SendMsg(m)
	}
	if err := cs.a.conn.Room(); err != nil {
		return noRoom(err)
	}
	return cs.ServerStream.SendMsg(&answer{m, cs.a.conn, streamID(cs.ServerStream.Context())})
}
