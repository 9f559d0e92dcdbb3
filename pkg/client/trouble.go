package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// ConnectError is why a service could not be reached, in words for whoever runs the
// caller.
type ConnectError struct {
	// Address is where it was tried; empty when that is not known.
	Address string
	// Reason is a sentence without its full stop.
	Reason string
	// Nobody says that nothing answers there now.
	Nobody bool
	// Lasting says that waiting does not help: a person has to change something.
	Lasting bool
	// Err is what the network or TLS said.
	Err error
}

// Error is the reason.
func (e *ConnectError) Error() string { return e.Reason }

// Unwrap is what the network or TLS said.
func (e *ConnectError) Unwrap() error { return e.Err }

// diagnoseWithin bounds what is asked to find out why a service is not reached.
const diagnoseWithin = time.Second

// maxTroubles bounds the addresses whose troubles are remembered; a name may stand for
// others all the time.
const maxTroubles = 64

// troubles is what went wrong last at each address, until a connection there works.
type troubles struct {
	mu sync.Mutex
	at map[string]*ConnectError
}

// set remembers what went wrong at an address; nil means that all is well there.
func (t *troubles) set(address string, e *ConnectError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e == nil {
		delete(t.at, address)
		return
	}
	if last := t.at[address]; last != nil && last.Lasting && !e.Lasting {
		return // the reason may get lost where the connection is closed under what was sent
	}
	if t.at == nil || len(t.at) >= maxTroubles {
		t.at = make(map[string]*ConnectError)
	}
	e.Address = address
	t.at[address] = e
}

// any is one of the troubles, a lasting one if there is any; nil for none. all reports
// whether each of them is lasting.
func (t *troubles) any() (one *ConnectError, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all = len(t.at) > 0
	for _, e := range t.at {
		all = all && e.Lasting
		if one == nil || e.Lasting && !one.Lasting {
			one = e
		}
	}
	return one, all
}

// watched is credentials that note what goes wrong with a connection. A server tells
// only after the handshake that it does not take the caller's certificate.
type watched struct {
	credentials.TransportCredentials
	troubles *troubles
	own      func() *x509.Certificate // this caller's; nil without TLS
}

// ClientHandshake implements credentials.TransportCredentials.
func (w *watched) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	address := raw.RemoteAddr().String()
	conn, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		if ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			w.troubles.set(address, w.explain(err, info))
		}
		return conn, info, err
	}
	return &firstRead{Conn: conn, told: func(err error) {
		if err == nil {
			w.troubles.set(address, nil)
		} else if !errors.Is(err, net.ErrClosed) { // by this side
			w.troubles.set(address, w.explain(err, info))
		}
	}}, info, nil
}

// Clone implements credentials.TransportCredentials.
func (w *watched) Clone() credentials.TransportCredentials {
	return &watched{w.TransportCredentials.Clone(), w.troubles, w.own}
}

// firstRead tells how its first read ended.
type firstRead struct {
	net.Conn
	once sync.Once
	told func(error)
}

// Read implements net.Conn.
func (f *firstRead) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	f.once.Do(func() {
		if n > 0 {
			f.told(nil)
		} else {
			f.told(err)
		}
	})
	return n, err
}

// explain says what an error of a handshake, or of the first read after it, means.
func (w *watched) explain(err error, info credentials.AuthInfo) *ConnectError {
	lasting := func(format string, args ...any) *ConnectError {
		return &ConnectError{Reason: fmt.Sprintf(format, args...), Lasting: true, Err: err}
	}
	if w.own == nil {
		return &ConnectError{Reason: "the connection was closed at once", Err: err}
	}
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &name):
		return lasting("the service's certificate is not for %s: it is for %s", name.Host, hosts(name.Certificate))
	case errors.As(err, &authority):
		return lasting("the service's certificate is of an authority that this caller does not trust")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return lasting("the service's certificate has expired, or is not valid yet: %v", invalid)
	case errors.As(err, &invalid):
		return lasting("the service's certificate cannot be used: %v", invalid)
	case errors.As(err, &record):
		return lasting("the port does not speak TLS, and this caller does")
	}
	own := w.own()
	switch text := err.Error(); {
	case strings.Contains(text, "tls: certificate required"), own == nil && strings.Contains(text, "remote error: tls"):
		return lasting("the service asks for a certificate, and this caller has none")
	case strings.Contains(text, "tls: expired certificate"):
		return lasting("this caller's certificate %s", expiry(own, time.Now()))
	case strings.Contains(text, "tls: unknown certificate authority"):
		return lasting("this caller's certificate %s is of an authority that the service does not trust", identity(own))
	case strings.Contains(text, "tls: bad certificate"), strings.Contains(text, "tls: revoked certificate"):
		return lasting("%s", refusal(own, info))
	case strings.Contains(text, "remote error: tls"):
		return lasting("the service ended the TLS handshake: %v", err)
	case !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE):
		return &ConnectError{Reason: "the TLS handshake failed: " + err.Error(), Err: err}
	case info == nil:
		return &ConnectError{Reason: "the connection was closed in the handshake: the port may not speak TLS", Err: err}
	case own != nil && time.Now().After(own.NotAfter):
		return lasting("this caller's certificate %s", expiry(own, time.Now()))
	}
	return &ConnectError{Reason: "the service closed the connection after the handshake: it may refuse this caller's certificate", Err: err}
}

// hosts are the names and addresses at which a certificate may be shown.
func hosts(c *x509.Certificate) string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host at all"
	}
	return strings.Join(all, ", ")
}

// identity is whom a certificate is of.
func identity(c *x509.Certificate) string {
	if len(c.URIs) == 0 {
		return "without an identity"
	}
	return "of " + c.URIs[0].String()
}

// expiry says how a certificate is out of date.
func expiry(c *x509.Certificate, now time.Time) string {
	if now.Before(c.NotBefore) {
		return identity(c) + " is not valid before " + c.NotBefore.UTC().Format(time.RFC3339)
	}
	return identity(c) + " expired on " + c.NotAfter.UTC().Format(time.RFC3339)
}

// refusal says why a service may not take a certificate that is in date and of its
// authority; the service does not tell.
func refusal(own *x509.Certificate, info credentials.AuthInfo) string {
	if len(own.URIs) != 1 {
		return fmt.Sprintf("the service refuses this caller's certificate: it holds %d identities, not one", len(own.URIs))
	}
	if peer, ok := info.(credentials.TLSInfo); ok && len(peer.State.PeerCertificates) > 0 {
		if of := peer.State.PeerCertificates[0].URIs; len(of) == 1 && of[0].Host != own.URIs[0].Host {
			return fmt.Sprintf("the service refuses this caller's certificate %s: the service is of %s", identity(own), of[0].Host)
		}
	}
	return fmt.Sprintf("the service refuses this caller's certificate %s: it was revoked, as far as can be told from here; "+
		"the service's log says why", identity(own))
}

// diagnose says why no connection is ready, as far as that can be found out soon; nil
// when it cannot.
func (c *Client) diagnose(ctx context.Context) *ConnectError {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnoseWithin)
	defer cancel()
	if e, _ := c.troubles.any(); e != nil {
		if c.o.TLS == nil && speaksTLS(ctx, e.Address) {
			e = &ConnectError{Address: e.Address, Reason: "the port speaks TLS, and this caller does not", Lasting: true, Err: e.Err}
		}
		return e
	}
	conn, err := c.again()
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close() }()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(false))
	if err == nil {
		return nil // just now
	}
	switch text := status.Convert(err).Message(); {
	case strings.Contains(text, "connection refused"):
		return &ConnectError{Reason: "no process listens there", Nobody: true, Err: err}
	case strings.Contains(text, "health check failed"):
		return &ConnectError{Reason: "the service is there, and says that it is not serving: its /readyz says why", Err: err}
	case strings.Contains(text, "no such host"), strings.Contains(text, "name resolver error"), strings.Contains(text, "no children to pick from"):
		return &ConnectError{Reason: "the host's name leads to no address", Err: err}
	case strings.Contains(text, "no route to host"), strings.Contains(text, "network is unreachable"):
		return &ConnectError{Reason: "the network knows no way there", Err: err}
	case ctx.Err() != nil:
		return nil
	default:
		return &ConnectError{Reason: text, Err: err}
	}
}

// speaksTLS reports whether a server answers a TLS greeting. What it shows is not looked
// at, and nothing is sent.
func speaksTLS(ctx context.Context, address string) bool {
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = raw.Close() }()
	answered := false
	_ = tls.Client(raw, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(tls.ConnectionState) error {
		answered = true
		return errors.New("that is enough")
	}}).HandshakeContext(ctx)
	return answered
}
