// Package natsd runs a NATS server with JetStream inside the process. It is apart
// from package stream so that only those who want a server inside link one.
package natsd

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// Config says where an embedded NATS server keeps its streams and listens.
type Config struct {
	// StoreDir is the folder of its files. It is made where it is missing.
	StoreDir string
	// Listen is host:port for clients of other processes, with port 0 for any that
	// is free; nothing is opened when it is empty.
	Listen string
	// FactsKept keeps clients of other processes from publishing facts.
	FactsKept bool
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
	srv      *server.Server
	password string // of this process's own connections
}

// doorman lets everybody in, and tells this process, which knows the password, from
// strangers. What a stranger published as a fact would stand in the stream and stop
// the relay.
type doorman struct {
	password string
	kept     bool
}

// Check implements server.Authentication.
func (d doorman) Check(c server.ClientAuthentication) bool {
	user := &server.User{Username: "owner"}
	if d.kept && c.GetOpts().Password != d.password {
		user = &server.User{Username: "stranger", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"cotmoc.>"}}}}
	}
	c.RegisterUser(user)
	return true
}

const (
	readyWithin = 30 * time.Second // a busy machine takes some of it
	// What streams may reserve, not what the disk has: a full disk shows as errors
	// that the relay outlives.
	mostStore  = 1 << 40
	mostMemory = 256 << 20
)

// Start starts a server and returns when it takes connections. It syncs at
// NATS's own pace: what a power cut takes from it, the log gives back.
func Start(cfg Config) (*Server, error) {
	if cfg.StoreDir == "" {
		return nil, errors.New("nats server: no folder to store streams in")
	}
	password := rand.Text()
	o := &server.Options{
		CustomClientAuthentication: doorman{password, cfg.FactsKept},
		ServerName:                 cmp.Or(cfg.Name, "cotmoc"), JetStream: true, StoreDir: cfg.StoreDir,
		JetStreamMaxStore: mostStore, JetStreamMaxMemory: mostMemory,
		NoSigs: true, NoLog: true, DontListen: cfg.Listen == "",
	}
	if cfg.Listen != "" {
		host, port, err := net.SplitHostPort(cfg.Listen)
		if err != nil {
			return nil, fmt.Errorf("nats server: listen address: %w", err)
		}
		if o.Host = host; port == "0" {
			o.Port = server.RANDOM_PORT
		} else if o.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("nats server: listen address: %w", err)
		}
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
	return &Server{srv, password}, nil
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
	return nats.Connect("", append([]nats.Option{nats.InProcessServer(s.srv), nats.UserInfo("owner", s.password)}, opts...)...)
}

// URL is where other processes connect, empty when nothing listens.
func (s *Server) URL() string {
	if a := s.srv.Addr(); a != nil {
		return "nats://" + a.String()
	}
	return ""
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
