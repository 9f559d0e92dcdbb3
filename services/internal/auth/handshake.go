package auth

import (
	"container/list"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
)

// Handshakes that are under way at a time. They end within ten seconds by themselves;
// where more come, the oldest makes room: whoever means to say who he is does so at once.
const (
	maxUnfinishedOfAddress = 100
	maxUnfinished          = 1000
)

// handshakes are the connections whose callers have not said who they are.
type handshakes struct {
	mu   sync.Mutex
	all  list.List             // of *handshake, the oldest first
	from map[string]*list.List // by address, likewise
}

// handshake is one of them.
type handshake struct {
	raw     net.Conn
	address string
	inAll   *list.Element
	inFrom  *list.Element
	dropped bool
}

// begin counts one more, and closes those that it takes the place of.
func (h *handshakes) begin(raw net.Conn) *handshake {
	one := &handshake{raw: raw, address: addressOf(raw.RemoteAddr())}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.from == nil {
		h.from = make(map[string]*list.List)
	}
	of := h.from[one.address]
	if of == nil {
		of = list.New()
		h.from[one.address] = of
	}
	if of.Len() >= maxUnfinishedOfAddress {
		h.drop(of.Front().Value.(*handshake))
		h.from[one.address] = of // drop forgets an address that has none left
	}
	if h.all.Len() >= maxUnfinished {
		h.drop(h.all.Front().Value.(*handshake))
	}
	one.inAll, one.inFrom = h.all.PushBack(one), of.PushBack(one)
	return one
}

// drop closes one to make room. mu is held.
func (h *handshakes) drop(one *handshake) {
	one.dropped = true
	h.remove(one)
	_ = one.raw.Close()
}

// end says that one is over, and reports whether it was dropped before.
func (h *handshakes) end(one *handshake) (dropped bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !one.dropped {
		h.remove(one)
	}
	return one.dropped
}

func (h *handshakes) remove(one *handshake) {
	h.all.Remove(one.inAll)
	of := h.from[one.address]
	if of.Remove(one.inFrom); of.Len() == 0 {
		delete(h.from, one.address)
	}
}

// ipv6Network is how many bits of an IPv6 address tell one network from another: within
// it, anybody has as many addresses as he likes.
const ipv6Network = 64

// addressOf is the part of an address that tells callers apart before they say who they
// are: an IPv4 address, or the network of an IPv6 address.
func addressOf(a net.Addr) string {
	port, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return a.String()
	}
	ip := port.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	network, err := ip.Prefix(ipv6Network)
	if err != nil {
		return ip.String()
	}
	return network.String()
}

// Why a handshake was refused: reasons of its count and its line in the log.
const (
	reasonDropped     = "dropped_for_newer"
	reasonExpired     = "expired"
	reasonRevoked     = "revoked"
	reasonAuthority   = "unknown_authority"
	reasonNone        = "no_certificate"
	reasonPlain       = "not_tls"
	reasonVersion     = "tls_version"
	reasonTimeout     = "timeout"
	reasonGone        = "gone"
	reasonByCaller    = "refused_by_caller"
	reasonUsage       = "not_for_clients"
	reasonIdentity    = "no_identity"
	reasonConnections = "too_many_connections"
	reasonBarred      = "ended_lately"
	reasonOther       = "other"
)

// refusal is an error that knows its reason.
type refusal struct {
	reason string
	error
}

// Unwrap returns the error.
func (r refusal) Unwrap() error { return r.error }

// reasonOf says why a handshake failed.
func reasonOf(err error) string {
	var own refusal
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &own):
		return own.reason
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return reasonExpired
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return reasonUsage
	case errors.As(err, &unknown):
		return reasonAuthority
	case errors.As(err, &plain):
		return reasonPlain
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return reasonTimeout
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return reasonGone
	case strings.Contains(err.Error(), "remote error"): // an alert, which crypto/tls has no type for
		return reasonByCaller
	case strings.Contains(err.Error(), "didn't provide a certificate"): // no type, either
		return reasonNone
	case strings.Contains(err.Error(), "unsupported versions"):
		return reasonVersion
	}
	return reasonOther
}
