// Package natstest starts a real NATS server with JetStream for a test.
package natstest

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/cotmoc/cotmoc/services/internal/stream/natsd"
)

// Start starts a server inside the test's process, with its files in a temporary
// folder, and returns a connection to it and the address for others. Both end with
// the test.
func Start(t testing.TB) (*nats.Conn, string) {
	t.Helper()
	s := Server(t, t.TempDir(), "127.0.0.1:0")
	return Connect(t, s), s.URL()
}

// Server starts a server on a folder and an address of the test's own, so that it
// can be stopped and started again. It is closed with the test at the latest.
func Server(t testing.TB, dir, listen string) *natsd.Server {
	t.Helper()
	s, err := natsd.Start(natsd.Config{StoreDir: dir, Listen: listen, Open: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Connect connects to a server by its address and reconnects for ever.
func Connect(t testing.TB, s *natsd.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(nats.DefaultReconnectWait/20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
