package obs

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"golang.org/x/net/netutil"
)

// checkTimeout bounds what the checks of one request may take together.
const checkTimeout = 2 * time.Second

// What readers may ask for at a time, and how long they may take to read it.
const (
	connectionsAtOnce = 128
	scrapesAtOnce     = 4
	answerWithin      = 10 * time.Second
)

// stopGrace is how long requests may go on after Serve was told to stop.
const stopGrace = 2 * time.Second

// Check is one thing that must be well.
type Check struct {
	Name string
	Run  func(ctx context.Context) error // nil when it is well
	// WritesOnly says that reads are answered also while it is not well.
	WritesOnly bool
}

// Handler serves what operators and their tools read:
//
//	/metrics       the registry, as Prometheus reads it
//	/healthz       200 while the process answers at all
//	/readyz        200 when all checks are well, else 503 and why, a line a check
//
// It says nothing that a caller of the service sent, but belongs on a port of its own.
func Handler(r *prometheus.Registry, ready ...Check) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{
		Registry: r, MaxRequestsInFlight: scrapesAtOnce, Timeout: answerWithin}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), checkTimeout)
		defer cancel()
		code, text := runChecks(ctx, ready)
		writeText(w, code, text)
	})
	return readWithin(mux)
}

// readWithin ends connections that do not read their answers.
func readWithin(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A writer without deadlines is one of a test.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerWithin))
		h.ServeHTTP(w, r)
	})
}

// WithProfiles serves profiles at /debug/pprof/ beside what h serves.
func WithProfiles(h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// Limit bounds the connections of a listener for Serve. TLS goes on top of it: the server
// must see that a connection is one of TLS.
func Limit(l net.Listener) net.Listener { return netutil.LimitListener(l, connectionsAtOnce) }

// Serve answers on l until ctx ends, and closes it. It returns nil after a stop
// that was asked for. log may be nil.
func Serve(ctx context.Context, l net.Listener, h http.Handler, log *zap.Logger) error {
	if log == nil {
		log = zap.NewNop()
	}
	// No write timeout for all: a profile takes as long as its reader asked for.
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: answerWithin, IdleTimeout: 20 * time.Second,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       stdlog.New(&sample{log: log}, "", 0)}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	if err := s.Shutdown(stop); err != nil {
		_ = s.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// runChecks runs all checks, in order, and tells of each.
func runChecks(ctx context.Context, checks []Check) (int, string) {
	code := http.StatusOK
	var b strings.Builder
	for _, c := range checks {
		if err := c.Run(ctx); err != nil {
			code = http.StatusServiceUnavailable
			fmt.Fprintf(&b, "%s: %v\n", c.Name, err)
			continue
		}
		fmt.Fprintf(&b, "%s: ok\n", c.Name)
	}
	if b.Len() == 0 {
		b.WriteString("ok\n")
	}
	return code, b.String()
}

// writeText answers plain text that nobody keeps.
func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

// sampleEvery is how often a line of the HTTP server is logged: who reaches the port
// could fill a disk by failing handshakes.
const sampleEvery = 10 * time.Second

// sample logs a line now and then, and how many were left out since the one before.
type sample struct {
	log *zap.Logger

	mu      sync.Mutex
	last    time.Time
	dropped int
}

// Write takes one line.
func (s *sample) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last) < sampleEvery {
		s.dropped++
		return len(line), nil
	}
	s.log.Warn("metrics and health: "+strings.TrimSpace(string(line)), zap.Int("left_out", s.dropped))
	s.last, s.dropped = time.Now(), 0
	return len(line), nil
}
