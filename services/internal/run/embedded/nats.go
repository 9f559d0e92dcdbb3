package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	config "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/run"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/internal/stream/natsd"
)

// nats connects to the server beside the process, or to one started inside it.
func (b *builder) nats() (*nats.Conn, []string, error) {
	options := []nats.Option{nats.Name("cotmoc reporting"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond)}
	if b.p.NATSURL = b.c.NATSURL; b.p.NATSURL == "" {
		inside, err := b.natsInside()
		if err != nil {
			return nil, nil, err
		}
		b.p.inside, b.p.NATSURL = inside, inside.URL()
		b.p.onClose(func(context.Context) error { inside.Close(); return nil })
	}
	nc, err := b.p.ConnectNATS(options...)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to NATS: %w", err)
	}
	b.p.onClose(func(context.Context) error { nc.Close(); return nil })
	if b.p.NATSURL == "" {
		return nc, nil, nil
	}
	return nc, []string{b.p.NATSURL}, nil
}

// natsInside starts the server inside. Nobody else reaches it, unless asked for.
func (b *builder) natsInside() (*natsd.Server, error) {
	c := natsd.Config{StoreDir: filepath.Join(b.c.Dir, "nats"), Listen: b.c.NATSListen, Log: b.c.Log.Named("nats")}
	if c.Listen == "" {
		if b.c.NATSUsers != "" {
			return nil, errors.New("there are users of NATS, but no address at which they reach it")
		}
		return natsd.Start(c)
	}
	if err := b.admitReaders(&c); err != nil {
		return nil, fmt.Errorf("NATS: %w", err)
	}
	return natsd.Start(c)
}

// admitReaders says who may connect from other processes, and how. Where callers are
// known by certificates, nobody reads events without a key of his own.
func (b *builder) admitReaders(c *natsd.Config) (err error) {
	secure := b.c.TLS != (auth.Files{})
	if secure && b.c.NATSUsers == "" {
		return errors.New("with certificates, its port is for users with keys only: give the file of its users, too (see cotmoc nats user)")
	}
	if err := b.free(c.Listen, secure); err != nil {
		return err
	}
	if secure {
		if c.TLS, err = natsd.ServerTLS(b.c.TLS.Cert, b.c.TLS.Key); err != nil {
			return err
		}
	}
	if c.Anybody = b.c.NATSUsers == ""; c.Anybody {
		return nil
	}
	c.Readers, err = config.ReadSubscribers(b.c.NATSUsers)
	if err == nil && len(c.Readers) == 0 {
		err = fmt.Errorf("there is no user in %s", b.c.NATSUsers)
	}
	return err
}

// free refuses an address for NATS that is taken, and one off loopback where there is no
// TLS; the server itself takes any, and tells of a taken one only by not getting ready.
// Subscribers are told where NATS is, so its address must be one that they can reach.
func (b *builder) free(address string, secure bool) error {
	listen := run.Listen
	if secure {
		listen = run.ListenAny
	}
	l, err := listen(address)
	if err != nil {
		return fmt.Errorf("--nats-listen: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		err = fmt.Errorf("%s is no address at which anybody reaches it: name this machine's", address)
	}
	return errors.Join(err, l.Close())
}

// sealKey reads the key by which the relay knows its own messages; it is made where
// there is none. It stays beside the ledgers, and is in no backup: a ledger that is
// restored here finds it.
func (b *builder) sealKey() ([]byte, error) {
	path := filepath.Join(b.c.Dir, "stream.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = []byte(rand.Text() + rand.Text() + "\n")
		err = os.WriteFile(path, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the stream's seals: %w", err)
	}
	return stream.SealKey(bytes.TrimSpace(key)), nil
}
