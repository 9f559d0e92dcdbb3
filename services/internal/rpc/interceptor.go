package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// interceptor is what happens around every handler.
type interceptor struct {
	c        Config
	check    *Checker
	subjects *subjects
}

// unary handles a call from top to bottom: request id, deadline, identity, allowance,
// checks, permission, handler, error, metrics, log.
func (s *interceptor) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	start := s.c.Now()
	ctx, id := withRequestID(ctx)
	// Without a transport stream, as in a test of a handler, there is no header.
	_ = grpc.SetHeader(ctx, idHeader(id))
	ctx, cancel := s.capped(ctx, info.FullMethod)
	defer cancel()

	ctx, err := s.identify(ctx, info.FullMethod)
	var resp any
	if err == nil {
		resp, err = s.handle(ctx, info.FullMethod, req, h)
	}
	out := outcome(ctx, err, id)
	took := s.c.Now().Sub(start)
	if m := s.c.Metrics; m != nil {
		m.CallSeconds.WithLabelValues(info.FullMethod).Observe(took.Seconds())
	}
	s.record(ctx, info.FullMethod, req, took, err, out)
	if out != nil {
		return nil, out
	}
	return resp, nil
}

// stream is unary for streaming calls, without a deadline of our own. The message
// that it logs is the first that the caller sent.
func (s *interceptor) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
	start := s.c.Now()
	ctx, id := withRequestID(ss.Context())
	_ = ss.SetHeader(idHeader(id))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.c.Stopping, func() { cancel(ledger.ErrStopped) })()
	cs := &checkedStream{ServerStream: ss, ctx: ctx, s: s, method: info.FullMethod}
	err := s.follow(cs, func() error { return h(srv, cs) })
	if err != nil && errors.Is(context.Cause(ctx), ledger.ErrStopped) {
		err = ledger.ErrStopped // whatever the handler made of it
	}
	out := outcome(ctx, err, id)
	s.record(cs.ctx, info.FullMethod, cs.first, s.c.Now().Sub(start), err, out)
	return out
}

// follow runs a stream for as long as its caller's certificate is good.
func (s *interceptor) follow(cs *checkedStream, run func() error) (err error) {
	if cs.ctx, err = s.identify(cs.ctx, cs.method); err != nil {
		return err
	}
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

// identify finds out who calls, where callers have identities.
func (s *interceptor) identify(ctx context.Context, method string) (context.Context, error) {
	if s.c.Guard == nil {
		return ctx, nil
	}
	return s.c.Guard.Identify(ctx, method)
}

// handle admits the request, lets the handler answer it and leaves out of the answer
// what the caller may not see.
func (s *interceptor) handle(ctx context.Context, method string, req any, h grpc.UnaryHandler) (any, error) {
	return s.guarded(func() (any, error) {
		if err := s.admit(ctx, method, req); err != nil {
			return nil, err
		}
		resp, err := h(ctx, req)
		if s.c.Guard == nil || err != nil {
			return resp, err
		}
		return resp, s.c.Guard.Show(ctx, method, req.(proto.Message), resp.(proto.Message))
	})
}

// admit refuses a message that is above its caller's allowance, does not keep the
// contract's rules or is not its caller's to send.
func (s *interceptor) admit(ctx context.Context, method string, req any) error {
	if s.c.Guard != nil {
		if err := s.c.Guard.Allow(ctx, req); err != nil {
			return err
		}
	}
	if err := s.checkRequest(req); err != nil {
		return err
	}
	msg, ok := req.(proto.Message)
	if s.c.Guard == nil || !ok {
		return nil
	}
	return s.c.Guard.Permit(ctx, method, msg)
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

// checkRequest applies the contract's rules to a message.
func (s *interceptor) checkRequest(req any) error {
	msg, ok := req.(proto.Message)
	if !ok {
		return nil
	}
	if size := proto.Size(msg); size > maxMessageBytes && !isBatch(msg) {
		return status.Errorf(codes.ResourceExhausted, "the message has %d bytes; %d are the most", size, maxMessageBytes)
	}
	if s.c.Deferred != nil {
		if name := s.c.Deferred(msg); name != "" {
			return s.check.CheckExcept(msg, name)
		}
	}
	return s.check.Check(msg)
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
	if d < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// record writes the line of a call and counts it. err is what the handler
// returned, which only the log may see; out is what the caller gets.
func (s *interceptor) record(ctx context.Context, method string, req any, took time.Duration, err, out error) {
	e, _ := apierr.Parse(out)
	reason := ""
	if e.Reason != 0 {
		reason = reasonWord(e.Reason)
	}
	if m := s.c.Metrics; m != nil {
		m.Calls.WithLabelValues(method, e.Code.String(), reason).Inc()
	}
	fields := make([]zap.Field, 0, 12)
	fields = append(fields, zap.String("method", method), zap.String("request_id", RequestID(ctx)))
	if who := auth.URI(ctx); who != "" {
		fields = append(fields, zap.String("caller", who))
	}
	fields = s.subjects.append(fields, req)
	fields = append(fields, zap.String("code", e.Code.String()), zap.Duration("duration", took))
	if out == nil {
		s.c.Log.Info("call", fields...)
		return
	}
	fields = append(fields, zap.String("reason", reason), zap.String("field", e.Field), zap.Error(err))
	switch {
	case e.Code == codes.Internal:
		s.c.Log.Error("call", fields...)
	case e.Code == codes.Unavailable && !errors.Is(err, ledger.ErrStopped): // a stop was asked for
		s.c.Log.Warn("call", fields...)
	default:
		s.c.Log.Info("call", fields...)
	}
}

// checkedStream checks what the caller sends.
type checkedStream struct {
	grpc.ServerStream
	ctx    context.Context
	s      *interceptor
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
	return cs.s.admit(cs.ctx, cs.method, m)
}
