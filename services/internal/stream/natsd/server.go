// Package natsd runs a NATS server with JetStream inside the process. It is apart
// from package stream so that only those who want a server inside link one.
package natsd

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"
)

// startWithin bounds how long the server may take to be ready.
const startWithin = 10 * time.Second

// Config is how a server is started.
type Config struct {
	// StoreDir holds the streams.
	StoreDir string
	// Listen is the address for other processes, host:port; empty means that only
	// this process reaches the server. Port 0 takes a free one.
	Listen string
	// Log gets what the server warns of; nil discards it.
	Log *zap.Logger
}

// Server is a NATS server. It is a nats.InProcessConnProvider.
type Server struct {
	s      *server.Server
	listen bool
}

// Start starts a server and waits until it is ready.
func Start(c Config) (*Server, error) {
	o := &server.Options{ServerName: "cotmoc", StoreDir: c.StoreDir, JetStream: true, NoSigs: true,
		DontListen: c.Listen == "", MaxPayload: 8 << 20, DisableJetStreamBanner: true}
	if c.Listen != "" {
		host, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return nil, fmt.Errorf("NATS address %q: %w", c.Listen, err)
		}
		o.Host = host
		if o.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("NATS address %q: %w", c.Listen, err)
		}
		if o.Port == 0 {
			o.Port = server.RANDOM_PORT
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("make the NATS server: %w", err)
	}
	if c.Log != nil {
		s.SetLoggerV2(logger{c.Log.Sugar()}, false, false, false)
	}
	go s.Start()
	if !s.ReadyForConnections(startWithin) {
		s.Shutdown()
		return nil, errors.New("the NATS server is not ready in time; is its address or its folder in use?")
	}
	return &Server{s: s, listen: c.Listen != ""}, nil
}

// URL is where other processes reach the server; empty when they do not.
func (s *Server) URL() string {
	if !s.listen {
		return ""
	}
	return s.s.ClientURL()
}

// InProcessConn connects without a port.
func (s *Server) InProcessConn() (net.Conn, error) { return s.s.InProcessConn() }

// Close stops the server and waits for it.
func (s *Server) Close() {
	s.s.Shutdown()
	s.s.WaitForShutdown()
}

// logger gives the server's warnings and errors to zap; its notices are chatter.
type logger struct{ *zap.SugaredLogger }

func (l logger) Noticef(format string, v ...any) { l.Debugf(format, v...) }
func (l logger) Warnf(format string, v ...any)   { l.SugaredLogger.Warnf(format, v...) }
func (l logger) Fatalf(format string, v ...any)  { l.SugaredLogger.Errorf(format, v...) }
func (l logger) Errorf(format string, v ...any)  { l.SugaredLogger.Errorf(format, v...) }
func (l logger) Debugf(format string, v ...any)  { l.SugaredLogger.Debugf(format, v...) }
func (l logger) Tracef(string, ...any)           {}
