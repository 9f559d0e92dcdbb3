package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// interceptor is what happens around every handler.
type interceptor struct {
	c        Config
	check    *Checker
	subjects *subjects
}

// unary handles a call from top to bottom: request id, deadline, checks, handler,
// error, metrics, log.
func (s *interceptor) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	start := s.c.Now()
	ctx, id := withRequestID(ctx)
	// Without a transport stream, as in a test of a handler, there is no header.
	_ = grpc.SetHeader(ctx, idHeader(id))
	ctx, cancel := s.capped(ctx, info.FullMethod)
	defer cancel()

	resp, err := s.handle(ctx, req, h)
	out := outcome(ctx, err, id)
	took := s.c.Now().Sub(start)
	if m := s.c.Metrics; m != nil {
		m.CallSeconds.WithLabelValues(info.FullMethod).Observe(took.Seconds())
	}
	s.record(info.FullMethod, id, req, took, err, out)
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
	cs := &checkedStream{ServerStream: ss, ctx: ctx, s: s}

	_, err := s.guarded(func() (any, error) { return nil, h(srv, cs) })
	if err != nil && errors.Is(context.Cause(ctx), ledger.ErrStopped) {
		err = ledger.ErrStopped // whatever the handler made of it
	}
	out := outcome(ctx, err, id)
	s.record(info.FullMethod, id, cs.first, s.c.Now().Sub(start), err, out)
	return out
}

// handle checks the request and lets the handler answer it.
func (s *interceptor) handle(ctx context.Context, req any, h grpc.UnaryHandler) (any, error) {
	return s.guarded(func() (any, error) {
		if err := s.checkRequest(req); err != nil {
			return nil, err
		}
		return h(ctx, req)
	})
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
	if s.c.Deferred != nil {
		if name := s.c.Deferred(msg); name != "" {
			return s.check.CheckExcept(msg, name)
		}
	}
	return s.check.Check(msg)
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
func (s *interceptor) record(method, id string, req any, took time.Duration, err, out error) {
	e, _ := apierr.Parse(out)
	reason := ""
	if e.Reason != 0 {
		reason = reasonWord(e.Reason)
	}
	if m := s.c.Metrics; m != nil {
		m.Calls.WithLabelValues(method, e.Code.String(), reason).Inc()
	}
	fields := make([]zap.Field, 0, 12)
	fields = append(fields, zap.String("method", method), zap.String("request_id", id))
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
	ctx   context.Context
	s     *interceptor
	first any
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
	return cs.s.checkRequest(m)
}
