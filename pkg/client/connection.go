package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // lets connections look at health
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// TLS names the files by which both sides know each other. They are PEM; the
// certificate is read again for each new connection, so that it can be replaced.
type TLS struct {
	Cert string // this caller's certificate
	Key  string // its key
	CA   string // authorities by which the service's certificate is checked
}

// Policies of a connection, as gRPC reads them. Calls go in turn to all replicas
// that say that they serve. Reads are made again by the connection itself: they
// have no request id that Submit would need.
const (
	inTurn  = `"loadBalancingConfig": [{"round_robin": {}}]`
	healthy = `"healthCheckConfig": {"serviceName": ""}`
	reads   = `"methodConfig": [{
  "name": [{"service": "cotmoc.reporting.v1.ProgressService"}, {"service": "cotmoc.reporting.v1.MonitoringService"},
           {"service": "cotmoc.reporting.v1.EventService"}, {"service": "cotmoc.registry.v1.RegistryService"}],
  "retryPolicy": {"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
                  "retryableStatusCodes": ["UNAVAILABLE"]}}]`
)

// Open is Dial without waiting until the service is reached: calls wait for that.
func Open(addresses string, o Options) (*Client, error) {
	replicas := strings.Split(addresses, ",")
	for i := range replicas {
		replicas[i] = strings.TrimSpace(replicas[i])
		if err := check(replicas[i], o.TLS != nil); err != nil {
			return nil, err
		}
	}
	creds, err := o.TLS.credentials()
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addresses, err)
	}
	if o.Attempt == 0 {
		o.Attempt = defaultAttempt
	}
	policies := []string{inTurn, healthy, reads}
	if o.Unready {
		policies = []string{inTurn, reads}
	}
	seen := &troubles{}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(&watched{creds, seen, o.TLS.certificate()}),
		grpc.WithDefaultServiceConfig("{" + strings.Join(policies, ",") + "}"),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(maxAnswerBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstWait, Multiplier: 2, Jitter: 0.2, MaxDelay: longestWait},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithUserAgent("cotmoc-client"),
	}
	list, more := targetOf(replicas)
	bare := slices.Clip(append(opts, more...))
	again := func() (*grpc.ClientConn, error) { return grpc.NewClient(list, bare...) }
	if o.Session == nil {
		o.Session = &Session{}
	}
	opts = append(bare, grpc.WithChainUnaryInterceptor(patient))
	if !o.StaleReads {
		opts = append(opts, grpc.WithChainUnaryInterceptor(o.Session.unary))
	}
	conn, err := grpc.NewClient(list, append(opts, o.Dial...)...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addresses, err)
	}
	return &Client{addresses: addresses, conn: conn, troubles: seen, again: again, o: o}, nil
}

// targetOf is how gRPC is told of addresses: all that a single name stands for, or
// those that were given.
func targetOf(addresses []string) (string, []grpc.DialOption) {
	if len(addresses) == 1 {
		return "dns:///" + addresses[0], nil
	}
	var state resolver.State
	for _, a := range addresses {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: a, ServerName: a})
	}
	list := manual.NewBuilderWithScheme("cotmoc")
	list.InitialState(state)
	return "cotmoc:///replicas", []grpc.DialOption{grpc.WithResolvers(list)}
}

// Addresses are those that the client was made for.
func (c *Client) Addresses() string { return c.addresses }

// Reach waits until one of the replicas is connected to that serves, or, with Unready,
// that is there. The error wraps a ConnectError where it is known why there is none. It
// comes before ctx ends when no waiting helps, because of a certificate that is refused
// at all addresses that answer, for example.
func (c *Client) Reach(ctx context.Context) error {
	for {
		c.conn.Connect()
		s := c.conn.GetState()
		if s == connectivity.Ready {
			return nil
		}
		if e, lasting := c.troubles.any(); lasting && s == connectivity.TransientFailure {
			return fmt.Errorf("dial %s: %w", c.addresses, e)
		}
		// A state that stays the same may have got another reason.
		step, cancel := context.WithTimeout(ctx, lookAgain)
		c.conn.WaitForStateChange(step, s)
		cancel()
		if ctx.Err() == nil {
			continue
		}
		if e := c.diagnose(ctx); e != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("dial %s: %w: %w", c.addresses, ctx.Err(), e)
		}
		return fmt.Errorf("dial %s: %w", c.addresses, ctx.Err())
	}
}

// lookAgain is how often Reach looks for a reason why there is no connection.
const lookAgain = 200 * time.Millisecond

// check refuses what is no address and, without TLS, what is not on this machine.
func check(address string, secure bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if ip := net.ParseIP(host); secure && host != "" || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("dial %s: only addresses of this machine, such as 127.0.0.1: without TLS nothing else is safe", address)
}

// credentials reads the files; nil means no TLS.
func (t *TLS) credentials() (credentials.TransportCredentials, error) {
	if t == nil {
		return insecure.NewCredentials(), nil
	}
	text, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("authorities: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("authorities: no certificate in " + t.CA)
	}
	if t.Cert == "" || t.Key == "" {
		return nil, errors.New("own certificate: it and its key are needed, as services know their callers by them")
	}
	own := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		return &c, err
	}
	if _, err := own(nil); err != nil {
		return nil, fmt.Errorf("own certificate: %w", err)
	}
	return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, GetClientCertificate: own}), nil
}

// certificate is how to read this caller's own certificate, which may be none; nil
// without TLS.
func (t *TLS) certificate() func() *x509.Certificate {
	if t == nil {
		return nil
	}
	return func() *x509.Certificate {
		c, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil
		}
		return c.Leaf
	}
}
