// Package natsd runs a NATS server with JetStream inside the process. It is apart
// from package stream so that only those who want a server inside link one.
package natsd

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	config "github.com/cotmoc/cotmoc/deploy/config"
)

// Config says where an embedded NATS server keeps its streams and listens, and for whom.
// Nobody but this process may do anything, unless Readers, Anybody or Open say so.
type Config struct {
	// StoreDir is the folder of its files. It is made where it is missing.
	StoreDir string
	// Listen is host:port for clients of other processes, with port 0 for any that
	// is free; nothing is opened when it is empty.
	Listen string
	// TLS is how clients of other processes are spoken to; in the clear when nil.
	TLS *tls.Config
	// Readers are who may connect from other processes, by their nkeys.
	Readers []config.Subscriber
	// Anybody lets everybody in who shows no key, as one who reads any subscription.
	Anybody bool
	// Open lets everybody in to do anything: for tests of what works on a NATS server.
	Open bool
	// Name is the server's; "cotmoc" when it is empty. Servers of a cluster have
	// different ones.
	Name string
	// Cluster is host:port for the other servers of a cluster, and Routes are theirs;
	// the server stands alone when it is empty.
	Cluster string
	Routes  []string
	// Log gets the server's warnings and errors; nothing is logged when it is nil.
	Log *zap.Logger
}

// Server is a NATS server with JetStream inside this process.
type Server struct {
	srv   *server.Server
	owner []nats.Option // by which this process is known
	tls   bool
}

const (
	readyWithin = 30 * time.Second // a busy machine takes some of it
	// What streams may reserve, not what the disk has: a full disk shows as errors
	// that the relay outlives.
	mostStore  = 4 << 40
	mostMemory = 256 << 20
	// Connections, and what one may leave unread.
	mostConnections = 256
	mostUnread      = 16 << 20
)

// Start starts a server and returns when it takes connections. It syncs at
// NATS's own pace: what a power cut takes from it, the log gives back.
func Start(cfg Config) (*Server, error) {
	if cfg.StoreDir == "" {
		return nil, errors.New("nats server: no folder to store streams in")
	}
	s := &Server{tls: cfg.TLS != nil}
	o := &server.Options{}
	if !cfg.Open {
		text, owner, err := accounts(cfg)
		if err != nil {
			return nil, fmt.Errorf("nats server: accounts: %w", err)
		}
		if err := o.ProcessConfigString(text); err != nil {
			return nil, fmt.Errorf("nats server: accounts: %w", err)
		}
		s.owner = owner
	}
	o.ServerName, o.JetStream, o.StoreDir = cmp.Or(cfg.Name, "cotmoc"), true, cfg.StoreDir
	o.JetStreamMaxStore, o.JetStreamMaxMemory = mostStore, mostMemory
	o.MaxConn, o.MaxPending = mostConnections, mostUnread
	o.NoSigs, o.NoLog, o.DontListen = true, true, cfg.Listen == ""
	o.TLS, o.TLSConfig = s.tls, cfg.TLS
	if err := listen(o, cfg.Listen); err != nil {
		return nil, err
	}
	if err := join(o, cfg); err != nil {
		return nil, err
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("nats server: %w", err)
	}
	if cfg.Log != nil {
		srv.SetLogger(logger{cfg.Log.Sugar()}, false, false)
	}
	srv.Start()
	if !srv.ReadyForConnections(readyWithin) {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("nats server: not ready at %q within %v (is the address taken, is %s writable?)", cfg.Listen, readyWithin, cfg.StoreDir)
	}
	s.srv = srv
	return s, nil
}

// listen sets where a server listens, if it does.
func listen(o *server.Options, address string) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("nats server: listen address: %w", err)
	}
	if o.Host = host; port == "0" {
		o.Port = server.RANDOM_PORT
	} else if o.Port, err = strconv.Atoi(port); err != nil {
		return fmt.Errorf("nats server: listen address: %w", err)
	}
	return nil
}

// join makes a server one of a cluster, if it is to be.
func join(o *server.Options, cfg Config) error {
	if cfg.Cluster == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(cfg.Cluster)
	if err != nil {
		return fmt.Errorf("nats server: cluster address: %w", err)
	}
	o.Cluster.Name, o.Cluster.Host = "cotmoc", host
	if o.Cluster.Port, err = strconv.Atoi(port); err != nil {
		return fmt.Errorf("nats server: cluster address: %w", err)
	}
	for _, r := range cfg.Routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: r})
	}
	return nil
}

// Connect returns a connection within the process, without a port. It may publish
// facts in any case.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	own := append([]nats.Option{nats.InProcessServer(s.srv)}, s.owner...)
	return nats.Connect("", append(own, opts...)...)
}

// URL is where other processes connect, empty when nothing listens.
func (s *Server) URL() string {
	a := s.srv.Addr()
	if a == nil {
		return ""
	}
	if s.tls {
		return "tls://" + a.String()
	}
	return "nats://" + a.String()
}

// Close stops the server and waits until its files are closed.
func (s *Server) Close() {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}

// logger hands on what an operator may have to know.
type logger struct{ log *zap.SugaredLogger }

func (logger) Noticef(string, ...any)           {}
func (logger) Debugf(string, ...any)            {}
func (logger) Tracef(string, ...any)            {}
func (l logger) Warnf(format string, v ...any)  { l.log.Warnf("nats server: "+format, v...) }
func (l logger) Errorf(format string, v ...any) { l.log.Errorf("nats server: "+format, v...) }
func (l logger) Fatalf(format string, v ...any) { l.log.Errorf("nats server: "+format, v...) }
