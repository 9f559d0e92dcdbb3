package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"

	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/wire"
)

// Connections that are open at a time: of one system, and of all systems of a unit in one
// role, so that one of them cannot take the places of the others.
const (
	maxOfSystem = 64
	maxOfUnit   = 256
)

// barredFor is how long an identity gets no new connection after one was ended for what it
// did: a handshake costs more than what it was ended for.
const barredFor = 3 * time.Second

var errNoOverride = errors.New("the server's name cannot be overridden")

// ServerTLS returns what a server needs to speak TLS 1.3 with callers that have an
// identity of the domain, and with nobody else. The files are read again when they
// change. log may be nil.
func ServerTLS(f Files, domain string, log *zap.Logger) (*ServerCredentials, error) {
	k, err := newKeeper(f, log)
	if err != nil {
		return nil, err
	}
	s := &ServerCredentials{keeper: k, domain: domain, open: make(map[string]int),
		barred: make(map[string]time.Time), refused: make(map[string]uint64)}
	s.watch = wire.New(wire.Limits{}, s.ended)
	return s, nil
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

// ServerCredentials makes each handshake with the material of the time. It counts whom it
// lets in, and watches what goes over their connections.
type ServerCredentials struct {
	*keeper
	domain     string
	watch      *wire.Watch
	unfinished handshakes
	sample     obs.Sampler

	mu      sync.Mutex
	open    map[string]int       // connections by identity, and by all systems of a unit
	barred  map[string]time.Time // identities whose connections were ended, until when
	refused map[string]uint64    // handshakes and ended connections, by reason
}

// connection is what is known of the other side of an open connection.
type connection struct {
	credentials.TLSInfo
	who    Identity
	keeper *keeper
	wire   *wire.Conn
	seen   atomic.Pointer[material] // by which it was found good last
	share  atomic.Pointer[shares]   // of allowances, as of its first call
}

// Wire is the connection itself.
func (c *connection) Wire() *wire.Conn { return c.wire }

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
func (s *ServerCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	one := s.unfinished.begin(raw)
	conn, c, err := s.handshake(raw)
	if s.unfinished.end(one) {
		err = refusal{reasonDropped, errors.New("newer connections from its address took its place")}
		if conn != nil {
			_ = conn.Close()
		}
	}
	if err != nil {
		s.tell("handshake refused", addressOf(raw.RemoteAddr()), reasonOf(err), zap.Stringer("peer", raw.RemoteAddr()), zap.Error(err))
		return nil, nil, err
	}
	return conn, c, nil
}

func (s *ServerCredentials) handshake(raw net.Conn) (net.Conn, *connection, error) {
	m := s.current()
	conn, info, err := credentials.NewTLS(s.config(m)).ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	state := info.(credentials.TLSInfo)
	who, err := identityOf(state.State.PeerCertificates[0], s.domain)
	if err != nil { // config has asked the same before
		_ = conn.Close()
		return nil, nil, refusal{reasonIdentity, err}
	}
	if err := s.enter(who); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	c := &connection{TLSInfo: state, who: who, keeper: s.keeper}
	c.wire = s.watch.Watch(&countedConn{Conn: conn, leave: sync.OnceFunc(func() { s.leave(who) })}, who.URI, who.Key())
	c.seen.Store(m)
	return c.wire, c, nil
}

// ended tells of a connection that was ended for what its caller did.
func (s *ServerCredentials) ended(c *wire.Conn, reason string) {
	s.mu.Lock()
	s.barred[c.Key()] = time.Now().Add(barredFor)
	s.mu.Unlock()
	s.tell("connection ended", c.Key(), reason, zap.String("caller", c.Key()), zap.Stringer("peer", c.RemoteAddr()))
}

// tell counts a refusal, and writes a line of it as often as is worth it.
func (s *ServerCredentials) tell(what, who, reason string, fields ...zap.Field) {
	s.mu.Lock()
	s.refused[reason]++
	s.mu.Unlock()
	if n := s.sample.Count(what + " " + who + " " + reason); n > 0 {
		s.log.Warn(what, append(fields, zap.String("reason", reason), zap.Uint64("times", n))...)
	}
}

// Refused returns how many handshakes were refused and connections ended, by reason.
func (s *ServerCredentials) Refused() map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.refused)
}

// config is TLS with callers whose certificate is good and holds an identity. There is
// no resumption: each handshake shows a certificate that is good now.
func (s *ServerCredentials) config(m *material) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert}, SessionTicketsDisabled: true,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: m.roots,
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := m.check(state.PeerCertificates, x509.ExtKeyUsageClientAuth); err != nil {
				return err
			}
			if _, err := identityOf(state.PeerCertificates[0], s.domain); err != nil {
				return refusal{reasonIdentity, err}
			}
			return nil
		},
	}
}

// enter counts one connection more of an identity, unless there are as many as may be.
func (s *ServerCredentials) enter(who Identity) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until, is := s.barred[who.URI]; is {
		if time.Now().Before(until) {
			return refusal{reasonBarred, fmt.Errorf("a connection of %s was ended less than %v ago", who.URI, barredFor)}
		}
		delete(s.barred, who.URI)
	}
	system, unit := "system "+who.URI, "unit "+who.Key()
	for key, most := range map[string]int{system: maxOfSystem, unit: maxOfUnit} {
		if s.open[key] >= most {
			return refusal{reasonConnections, fmt.Errorf("%s has %d connections", key, most)}
		}
	}
	s.open[system]++
	s.open[unit]++
	return nil
}

func (s *ServerCredentials) leave(who Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{"system " + who.URI, "unit " + who.Key()} {
		if s.open[key]--; s.open[key] == 0 {
			delete(s.open, key)
		}
	}
}

// Info names the protocol.
func (s *ServerCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns s: its counts are one server's.
func (s *ServerCredentials) Clone() credentials.TransportCredentials { return s }

// ClientHandshake is for clients.
func (s *ServerCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these are the credentials of a server")
}

// OverrideServerName is for clients.
func (s *ServerCredentials) OverrideServerName(string) error { return errNoOverride }

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
