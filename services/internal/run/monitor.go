package run

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cotmoc/cotmoc/services/internal/obs"
)

// Monitor answers metrics, health and profiles over HTTP, from before a service is
// open until after its last call: whoever runs the process sees why it is not ready
// instead of a closed port. A nil Monitor answers nowhere.
type Monitor struct {
	addr    string
	metrics *prometheus.Registry
	handler atomic.Pointer[http.Handler]
	stop    context.CancelFunc
	done    chan error
}

// NewMonitor answers at an address on loopback, not ready before Watch; nothing,
// not even an error, when the address is empty.
func NewMonitor(address string, metrics *prometheus.Registry) (*Monitor, error) {
	if address == "" {
		return nil, nil
	}
	l, err := Listen(address)
	if err != nil {
		return nil, fmt.Errorf("metrics and health: %w", err)
	}
	m := &Monitor{addr: l.Addr().String(), metrics: metrics, done: make(chan error, 1)}
	m.NotReady("start", "the service is not open yet")
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	go func() {
		defer close(m.done)
		m.done <- obs.Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			(*m.handler.Load()).ServeHTTP(w, r)
		}))
	}()
	return m, nil
}

// Watch is ready while all checks are well.
func (m *Monitor) Watch(checks ...obs.Check) {
	if m == nil {
		return
	}
	h := obs.Handler(m.metrics, checks...)
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
