package natstest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// Knock makes attempts as one who has no key, each on a connection of its own, and
// reports those that a server did not refuse. It asks for no leave: what it wants is sent
// at once, as no client library would.
func Knock(t testing.TB, address string, secure *tls.Config, attempts []Attempt) {
	t.Helper()
	for _, a := range attempts {
		said, err := knock(address, secure, a)
		if !strings.Contains(said, "Authorization Violation") || strings.Contains(said, "PONG") {
			t.Fatalf("%s: not refused: %q, %v", a.Name, said, err)
		}
	}
	if said, err := knock(address, nil, attempts[0]); strings.Contains(said, "PONG") {
		t.Errorf("in the clear: not refused: %q, %v", said, err)
	}
}

func knock(address string, secure *tls.Config, a Attempt) (said string, _ error) {
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = raw.Close() }()
	if err := raw.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	greeting := bufio.NewReaderSize(raw, 16<<10)
	if _, err := greeting.ReadString('\n'); err != nil {
		return "", err
	}
	conn := raw
	if secure != nil {
		conn = tls.Client(raw, secure)
	}
	if _, err := fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"headers\":true}\r\nPUB %s %s %d\r\n%s\r\nPING\r\n",
		a.Subject, a.Reply, len(a.Body), a.Body); err != nil {
		return "", err
	}
	all, err := io.ReadAll(conn)
	return string(all), err
}

// Doors are ways for one who has no key of a user to come in all the same; known is the
// public half of the key of one who has. Each leads to an error.
func Doors(t testing.TB, known string) map[string]nats.Option {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	key, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	unsigned := func([]byte) ([]byte, error) {
		return []byte("no signature of the right length, but bytes of some length...."), nil
	}
	return map[string]nats.Option{
		"without a key":                       nil,
		"with a name":                         nats.UserInfo("owner", ""),
		"with a name and a password":          nats.UserInfo("service", "service"),
		"with a token":                        nats.Token("cotmoc"),
		"with a key that nobody knows":        nats.Nkey(key, pair.Sign),
		"with a known key, signed by its own": nats.Nkey(known, pair.Sign),
		"with a known key, not signed":        nats.Nkey(known, unsigned),
		"with a token of its own making":      nats.UserJWT(func() (string, error) { return "e30.e30.e30", nil }, pair.Sign),
	}
}
