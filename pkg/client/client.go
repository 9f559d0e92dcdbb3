// Package client sends what units report to Cotmoc and does not give up: a
// submission whose outcome is unknown is sent again under the same request id
// until there is an answer, so that it is counted exactly once.
package client

import (
	"context"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"google.golang.org/grpc"
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
	// TLS is by what both sides know each other. Nil means none, which is for
	// services on this machine alone.
	TLS *TLS
	// Attempt is how long one attempt may take before its outcome counts as unknown
	// and it is made again; 0 means 10 s.
	Attempt time.Duration
	// OnRetry, when set, is told before an attempt is made again: how many were
	// made, what came of the last, and how long is waited. It must not block.
	OnRetry func(attempts int, err error, wait time.Duration)
	// StaleReads lets reads come from a replica that has not yet seen what this
	// client wrote or read before. By default they wait for it: requests that have
	// a min_sequence, and leave it 0, get the newest that the client saw.
	StaleReads bool
	// Session is shared by clients of one service that are one caller together, such
	// as one that writes and one that reads; nil means that this client is alone.
	Session *Session
	// Unready lets calls go to replicas that say that they are not serving, as those
	// who look after a service need it.
	Unready bool
	// Dial are further options of the connection, applied last.
	Dial []grpc.DialOption
}

// Client is a connection to all replicas of a service. It is safe for concurrent
// use. It is of one log: after a new epoch was declared it is made anew.
type Client struct {
	addresses string
	conn      *grpc.ClientConn
	troubles  *troubles
	again     func() (*grpc.ClientConn, error) // a connection of the same kind, without what o adds
	o         Options
}

// Dial connects to a service, such as `127.0.0.1:7600`, and waits until it is reached
// or ctx ends. Several addresses, with commas between, are replicas: calls go to them
// in turn, past those that are away or not serving. Without TLS, addresses that are
// not on this machine are refused.
func Dial(ctx context.Context, addresses string, o Options) (*Client, error) {
	c, err := Open(addresses, o)
	if err != nil {
		return nil, err
	}
	if err := c.Reach(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
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
