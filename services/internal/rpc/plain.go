package rpc

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/cotmoc/cotmoc/services/internal/wire"
)

// plain are the credentials of a server without TLS, whose callers nobody knows: they
// watch connections, as those with TLS do.
type plain struct{ watch *wire.Watch }

// plainInfo is what is known of the other side.
type plainInfo struct {
	credentials.CommonAuthInfo
	wire *wire.Conn
}

// AuthType implements credentials.AuthInfo.
func (plainInfo) AuthType() string { return "none" }

// Wire is the connection itself.
func (i plainInfo) Wire() *wire.Conn { return i.wire }

// ServerHandshake takes everybody.
func (p plain) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	from := raw.RemoteAddr().String()
	c := p.watch.Watch(raw, from, from)
	return c, plainInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}, c}, nil
}

// ClientHandshake is for clients.
func (plain) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these are the credentials of a server")
}

// Info names the protocol.
func (plain) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "insecure"}
}

// Clone returns p.
func (p plain) Clone() credentials.TransportCredentials { return p }

// OverrideServerName is for clients.
func (plain) OverrideServerName(string) error { return nil }
