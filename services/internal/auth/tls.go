package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"
)

// Connections that are open at a time.
const (
	maxUnknown    = 100 // from one address, of callers that have not said who they are
	maxOfIdentity = 100 // of one identity
)

var errNoOverride = errors.New("the server's name cannot be overridden")

// ServerTLS returns what a server needs to speak TLS 1.3 with callers that have an
// identity of the domain, and with nobody else. The files are read again when they
// change. log may be nil.
func ServerTLS(f Files, domain string, log *zap.Logger) (credentials.TransportCredentials, error) {
	k, err := newKeeper(f, log)
	if err != nil {
		return nil, err
	}
	return &serverCredentials{keeper: k, domain: domain, open: make(map[string]int)}, nil
}

// ClientTLS returns what a caller needs to be known by its certificate, and to trust
// servers by theirs. The files are read again when they change. A revoked server is
// not trusted.
func ClientTLS(f Files) (credentials.TransportCredentials, error) {
	k, err := newKeeper(f, nil)
	if err != nil {
		return nil, err
	}
	return &clientCredentials{keeper: k}, nil
}

// serverCredentials makes each handshake with the material of the time.
type serverCredentials struct {
	*keeper
	domain string

	mu   sync.Mutex
	open map[string]int // connections by identity's key, or by address before
}

// connection is what is known of the other side of an open connection.
type connection struct {
	credentials.TLSInfo
	who    Identity
	keeper *keeper
	seen   atomic.Pointer[material] // by which it was found good last
}

// stillGood says why the certificate of an open connection is not good any more; nil
// while it is.
func (c *connection) stillGood() error {
	chain := c.State.PeerCertificates
	if time.Now().After(chain[0].NotAfter) {
		return errors.New("the certificate has expired")
	}
	m := c.keeper.current()
	if c.seen.Load() == m {
		return nil
	}
	if err := m.check(chain, x509.ExtKeyUsageClientAuth); err != nil {
		return err
	}
	c.seen.Store(m)
	return nil
}

// ServerHandshake finds out who calls.
func (s *serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	address, _, err := net.SplitHostPort(raw.RemoteAddr().String())
	if err != nil {
		address = raw.RemoteAddr().String()
	}
	if !s.enter(address, maxUnknown) {
		_ = raw.Close()
		return nil, nil, fmt.Errorf("%s has %d connections without an identity", address, maxUnknown)
	}
	defer s.leave(address)
	m := s.current()
	conn, info, err := credentials.NewTLS(s.config(m)).ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	state := info.(credentials.TLSInfo)
	who, err := identityOf(state.State.PeerCertificates[0], s.domain)
	if err != nil { // config has asked the same before
		_ = conn.Close()
		return nil, nil, err
	}
	if !s.enter(who.Key(), maxOfIdentity) {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("%s has %d connections", who.URI, maxOfIdentity)
	}
	c := &connection{TLSInfo: state, who: who, keeper: s.keeper}
	c.seen.Store(m)
	return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { s.leave(who.Key()) })}, c, nil
}

// config is TLS with callers whose certificate is good and holds an identity. There is
// no resumption: each handshake shows a certificate that is good now.
func (s *serverCredentials) config(m *material) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert}, SessionTicketsDisabled: true,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: m.roots,
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := m.check(state.PeerCertificates, x509.ExtKeyUsageClientAuth); err != nil {
				return err
			}
			_, err := identityOf(state.PeerCertificates[0], s.domain)
			return err
		},
	}
}

// enter counts one connection more, unless there are most.
func (s *serverCredentials) enter(key string, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] >= most {
		return false
	}
	s.open[key]++
	return true
}

func (s *serverCredentials) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key]--; s.open[key] == 0 {
		delete(s.open, key)
	}
}

// Info names the protocol.
func (s *serverCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns s: its counts are one server's.
func (s *serverCredentials) Clone() credentials.TransportCredentials { return s }

// ClientHandshake is for clients.
func (s *serverCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these are the credentials of a server")
}

// OverrideServerName is for clients.
func (s *serverCredentials) OverrideServerName(string) error { return errNoOverride }

// countedConn tells when it is closed.
type countedConn struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// clientCredentials makes each handshake with the material of the time.
type clientCredentials struct {
	*keeper
}

// ClientHandshake finds out whether the server is who it should be.
func (c *clientCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	m := c.current()
	config := &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert}, RootCAs: m.roots,
		VerifyConnection: func(state tls.ConnectionState) error {
			return m.check(state.PeerCertificates, x509.ExtKeyUsageServerAuth)
		},
	}
	return credentials.NewTLS(config).ClientHandshake(ctx, authority, raw)
}

// Info names the protocol.
func (c *clientCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns c, which does not change.
func (c *clientCredentials) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is refused: a server is trusted by the name that it was called by.
func (c *clientCredentials) OverrideServerName(string) error { return errNoOverride }

// ServerHandshake is for servers.
func (c *clientCredentials) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these are the credentials of a client")
}
