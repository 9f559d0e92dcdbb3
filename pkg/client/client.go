// Package client sends what units report to Cotmoc and does not give up: a
// submission whose outcome is unknown is sent again under the same request id
// until there is an answer, so that it is counted exactly once.
package client

import (
	"context"
	"fmt"
	"net"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Limits of the connection. The server allows a ping every 30 s.
const (
	keepaliveTime    = 40 * time.Second
	keepaliveTimeout = 10 * time.Second
	connectTimeout   = 5 * time.Second
	maxAnswerBytes   = 16 << 20
	defaultAttempt   = 10 * time.Second
)

// Options are how a client behaves. The zero Options work.
type Options struct {
	// Attempt is how long one attempt may take before its outcome counts as unknown
	// and it is made again; 0 means 10 s.
	Attempt time.Duration
	// OnRetry, when set, is told before an attempt is made again: how many were
	// made, what came of the last, and how long is waited. It must not block.
	OnRetry func(attempts int, err error, wait time.Duration)
	// Dial are further options of the connection, applied last.
	Dial []grpc.DialOption
}

// Client is a connection to a service. It is safe for concurrent use.
type Client struct {
	conn *grpc.ClientConn
	o    Options
}

// Dial connects to a service on this machine, such as `127.0.0.1:7060`, and waits
// until it is reached or ctx ends. Any other address is refused: it would need an
// identity and TLS, which this release does not have.
func Dial(ctx context.Context, address string, o Options) (*Client, error) {
	if err := checkLoopback(address); err != nil {
		return nil, err
	}
	if o.Attempt == 0 {
		o.Attempt = defaultAttempt
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(maxAnswerBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstWait, Multiplier: 2, Jitter: 0.2, MaxDelay: longestWait},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithUserAgent("cotmoc-client"),
	}
	conn, err := grpc.NewClient("passthrough:///"+address, append(opts, o.Dial...)...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	conn.Connect()
	for s := conn.GetState(); s != connectivity.Ready; s = conn.GetState() {
		if !conn.WaitForStateChange(ctx, s) {
			_ = conn.Close()
			return nil, fmt.Errorf("dial %s: %w", address, ctx.Err())
		}
		conn.Connect()
	}
	return &Client{conn: conn, o: o}, nil
}

// checkLoopback refuses an address that is not on this machine.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("dial %s: only addresses of this machine, such as 127.0.0.1: without TLS nothing else is safe", address)
}

// Close ends the connection; calls under way fail.
func (c *Client) Close() error { return c.conn.Close() }

// Conn is the connection, for services that have no accessor here.
func (c *Client) Conn() *grpc.ClientConn { return c.conn }

// Reporting is the plain stub that Submit and SubmitBatch use.
func (c *Client) Reporting() reportingv1.ReportingServiceClient {
	return reportingv1.NewReportingServiceClient(c.conn)
}

// Progress is the stub that reads figures.
func (c *Client) Progress() reportingv1.ProgressServiceClient {
	return reportingv1.NewProgressServiceClient(c.conn)
}

// Monitoring is the stub that reads what leaders ask.
func (c *Client) Monitoring() reportingv1.MonitoringServiceClient {
	return reportingv1.NewMonitoringServiceClient(c.conn)
}

// Review is the stub that decides about what units report.
func (c *Client) Review() reportingv1.ReviewServiceClient {
	return reportingv1.NewReviewServiceClient(c.conn)
}

// Events is the stub that event.Subscriber asks for.
func (c *Client) Events() reportingv1.EventServiceClient {
	return reportingv1.NewEventServiceClient(c.conn)
}

// ReportingAdmin is the stub for those who run reporting.
func (c *Client) ReportingAdmin() reportingv1.ReportingAdminServiceClient {
	return reportingv1.NewReportingAdminServiceClient(c.conn)
}

// Registry is the stub that reads what is owed.
func (c *Client) Registry() registryv1.RegistryServiceClient {
	return registryv1.NewRegistryServiceClient(c.conn)
}

// RegistryAdmin is the stub that changes what is owed.
func (c *Client) RegistryAdmin() registryv1.RegistryAdminServiceClient {
	return registryv1.NewRegistryAdminServiceClient(c.conn)
}
