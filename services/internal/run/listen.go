package run

import (
	"fmt"
	"net"
)

// Loopback refuses an address that others than this machine's own processes reach.
func Loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if isLoopback(host) {
		return nil
	}
	return fmt.Errorf("address %q is not on loopback: without TLS and identities "+
		"anybody who reaches the port could read and write; give certificates, or use 127.0.0.1", address)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Listen takes a port on loopback; port 0 takes a free one.
func Listen(address string) (net.Listener, error) {
	if err := Loopback(address); err != nil {
		return nil, err
	}
	return ListenAny(address)
}

// ListenAny takes a port wherever it is, for servers that know their callers.
func ListenAny(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}
