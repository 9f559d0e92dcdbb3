package run

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/obs"
)

// MonitorConfig is where metrics and health are answered, and for whom.
type MonitorConfig struct {
	Listen string // empty for nowhere
	// Cert and Key make the port speak TLS. They are read again when they change.
	Cert, Key string
	// Hosts are names by which the port is asked for, beside its address and localhost.
	Hosts []string
	// Open lets everybody who reaches the port read without TLS, off loopback too.
	Open bool
	// Profiles are served too, on loopback only.
	Profiles bool
	Metrics  *prometheus.Registry
	Log      *zap.Logger // nil for none
}

// Check says why there can be no such port.
func (c *MonitorConfig) Check() error {
	if c.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	switch local := isLoopback(host); {
	case err != nil:
		return fmt.Errorf("metrics and health: address %q: %w", c.Listen, err)
	case (c.Cert == "") != (c.Key == ""):
		return errors.New("metrics and health: --metrics-cert and --metrics-key belong together")
	case !local && c.Cert == "" && !c.Open:
		return fmt.Errorf("metrics and health: address %q is not on loopback, and anybody who reaches the port could read them: "+
			"give --metrics-cert and --metrics-key, or say by --metrics-open that they may", c.Listen)
	case !local && c.Profiles:
		return fmt.Errorf("metrics and health: address %q is not on loopback: --pprof serves profiles there only", c.Listen)
	}
	return nil
}

// Monitor answers metrics and health over HTTP, from before a service is open until
// after its last call: whoever runs the process sees why it is not ready instead of a
// closed port. A nil Monitor answers nowhere.
type Monitor struct {
	c       MonitorConfig
	addr    string
	handler atomic.Pointer[http.Handler]
	stop    context.CancelFunc
	done    chan error
}

// NewMonitor answers, not ready before Watch; nothing, not even an error, when the
// address is empty.
func NewMonitor(c MonitorConfig) (*Monitor, error) {
	if c.Listen == "" {
		return nil, nil
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	l, err := c.listen()
	if err != nil {
		return nil, fmt.Errorf("metrics and health: %w", err)
	}
	m := &Monitor{c: c, addr: l.Addr().String(), done: make(chan error, 1)}
	m.NotReady("start", "the service is not open yet")
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	host, _, _ := net.SplitHostPort(c.Listen) // checked before
	answer := obs.ForHosts(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*m.handler.Load()).ServeHTTP(w, r)
	}), append([]string{host}, c.Hosts...)...)
	go func() {
		defer close(m.done)
		m.done <- obs.Serve(ctx, l, answer, c.Log)
	}()
	return m, nil
}

func (c *MonitorConfig) listen() (net.Listener, error) {
	l, err := ListenAny(c.Listen)
	if err != nil {
		return nil, err
	}
	if l = obs.Limit(l); c.Cert == "" {
		return l, nil
	}
	config, err := obs.TLS(c.Cert, c.Key)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return tls.NewListener(l, config), nil
}

// Watch is ready while all checks are well.
func (m *Monitor) Watch(checks ...obs.Check) {
	if m == nil {
		return
	}
	h := obs.Handler(m.c.Metrics, checks...)
	if m.c.Profiles {
		h = obs.WithProfiles(h)
	}
	m.handler.Store(&h)
}

// NotReady is not ready, and says why.
func (m *Monitor) NotReady(what, why string) {
	m.Watch(obs.Check{Name: what, Run: func(context.Context) error { return errors.New(why) }})
}

// Addr is where it answers; empty when nowhere.
func (m *Monitor) Addr() string {
	if m == nil {
		return ""
	}
	return m.addr
}

// Close stops answering.
func (m *Monitor) Close() error {
	if m == nil {
		return nil
	}
	m.stop()
	return <-m.done
}
