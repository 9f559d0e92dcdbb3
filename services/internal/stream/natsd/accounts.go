package natsd

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	config "github.com/cotmoc/cotmoc/deploy/config"
)

const (
	account  = "cotmoc"
	stranger = "anybody"
)

// accounts writes who may do what, by the same text that is shipped for servers beside
// the process, and returns by which options this process is known as the service. Its
// key, and that of whoever shows none, live as long as the server.
func accounts(cfg Config) (text string, owner []nats.Option, _ error) {
	service, err := nkeys.CreateUser()
	if err != nil {
		return "", nil, err
	}
	key, err := service.PublicKey()
	if err != nil {
		return "", nil, err
	}
	a := config.Account{Name: account, Service: key}
	for _, r := range cfg.Readers {
		if err := r.Check(); err != nil {
			return "", nil, err
		}
		a.Subscribers = append(a.Subscribers, r)
	}
	var out bytes.Buffer
	if cfg.Anybody {
		anybody, err := nkeys.CreateUser()
		if err != nil {
			return "", nil, err
		}
		public, err := anybody.PublicKey()
		if err != nil {
			return "", nil, err
		}
		a.Subscribers = append(a.Subscribers, config.Subscriber{Name: stranger, Key: public,
			Consumers: []string{config.AnySubscription}, Inbox: nats.InboxPrefix[:len(nats.InboxPrefix)-1]})
		fmt.Fprintf(&out, "no_auth_user: %s\n", public)
	}
	if err := config.WriteAccounts(&out, []config.Account{a}); err != nil {
		return "", nil, err
	}
	return out.String(), []nats.Option{nats.Nkey(key, service.Sign), nats.CustomInboxPrefix("_INBOX_service")}, nil
}

// lookEvery is how often the files of a certificate are read again.
const lookEvery = time.Second

// ServerTLS is TLS 1.3 by a certificate and its key, in PEM, which are read again: a
// certificate is renewed by putting another in its place. Callers need none: NATS knows
// them by their nkeys. Files that cannot be read leave what was read before.
func ServerTLS(cert, key string) (*tls.Config, error) {
	read, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	var mu sync.Mutex
	now, at := &read, time.Now()
	return &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			mu.Lock()
			defer mu.Unlock()
			if time.Since(at) >= lookEvery {
				at = time.Now()
				if fresh, err := tls.LoadX509KeyPair(cert, key); err == nil {
					now = &fresh
				}
			}
			return now, nil
		}}, nil
}
