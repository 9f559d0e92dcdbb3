package obs

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Names of all metrics. Every one but the runtime's carries the label `service`.
const (
	nameCalls            = "cotmoc_rpc_calls_total"
	nameCallSeconds      = "cotmoc_rpc_call_seconds"
	namePanics           = "cotmoc_rpc_panics_total"
	nameLedgerHead       = "cotmoc_ledger_head_sequence"
	nameLedgerQueue      = "cotmoc_ledger_queue_commands"
	nameLedgerBlock      = "cotmoc_ledger_block_events"
	nameLedgerCommit     = "cotmoc_ledger_commit_seconds"
	nameRelayPublished   = "cotmoc_relay_published_sequence"
	nameRelayLag         = "cotmoc_relay_lag_events"
	nameRelayProblem     = "cotmoc_relay_problem"
	nameRegistryRevision = "cotmoc_registry_revision"
	nameRegistryLag      = "cotmoc_registry_lag_revisions"
)

// Labels of metrics.
const (
	labelService = "service"
	labelMethod  = "method"
	labelCode    = "code"
	labelReason  = "reason"
)

// NewRegistry returns a registry of its own, with the metrics of the Go runtime
// and of the process.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Metrics are the figures that one service keeps of itself.
type Metrics struct {
	// Calls counts finished calls by method, gRPC code and reason.
	Calls *prometheus.CounterVec
	// CallSeconds is how long unary calls took, by method.
	CallSeconds *prometheus.HistogramVec
	// Panics counts handlers that panicked: each one is a defect.
	Panics prometheus.Counter

	// LedgerHead is the number of the newest event in the log.
	LedgerHead prometheus.Gauge
	// LedgerQueue is how many commands wait for the writer loop.
	LedgerQueue prometheus.Gauge
	// LedgerBlock is how many events a block had.
	LedgerBlock prometheus.Histogram
	// LedgerCommit is how long the store took to append a block.
	LedgerCommit prometheus.Histogram

	// RelayPublished is the last number on the stream.
	RelayPublished prometheus.Gauge
	// RelayLag is how many events of the log are not on the stream yet.
	RelayLag prometheus.Gauge
	// RelayProblem is 1 while the relay cannot do its work, else 0.
	RelayProblem prometheus.Gauge

	// RegistryRevision is the newest registry revision in the service's copy.
	RegistryRevision prometheus.Gauge
	// RegistryLag is how many revisions the copy is behind, as far as is known.
	RegistryLag prometheus.Gauge
}

// NewMetrics registers the metrics of a service, such as `reporting`. It panics
// when the same service was registered there before.
func NewMetrics(r *prometheus.Registry, service string) *Metrics {
	reg := prometheus.WrapRegistererWith(prometheus.Labels{labelService: service}, r)
	seconds := prometheus.ExponentialBuckets(0.00025, 2, 17) // 0.25 ms to 16 s
	m := &Metrics{
		Calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: nameCalls, Help: "Finished calls.",
		}, []string{labelMethod, labelCode, labelReason}),
		CallSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: nameCallSeconds, Help: "Duration of unary calls.", Buckets: seconds,
		}, []string{labelMethod}),
		Panics:     prometheus.NewCounter(prometheus.CounterOpts{Name: namePanics, Help: "Handlers that panicked."}),
		LedgerHead: gauge(nameLedgerHead, "Number of the newest event in the log."),
		LedgerQueue: gauge(nameLedgerQueue,
			"Commands that wait for the writer loop."),
		LedgerBlock: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: nameLedgerBlock, Help: "Events in a block.", Buckets: prometheus.ExponentialBuckets(1, 2, 15),
		}),
		LedgerCommit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: nameLedgerCommit, Help: "Duration of appending a block.", Buckets: seconds,
		}),
		RelayPublished:   gauge(nameRelayPublished, "Last number on the stream."),
		RelayLag:         gauge(nameRelayLag, "Events of the log that are not on the stream yet."),
		RelayProblem:     gauge(nameRelayProblem, "1 while the relay cannot do its work."),
		RegistryRevision: gauge(nameRegistryRevision, "Newest registry revision in the service's copy."),
		RegistryLag:      gauge(nameRegistryLag, "Registry revisions that the copy is behind."),
	}
	reg.MustRegister(m.Calls, m.CallSeconds, m.Panics,
		m.LedgerHead, m.LedgerQueue, m.LedgerBlock, m.LedgerCommit,
		m.RelayPublished, m.RelayLag, m.RelayProblem, m.RegistryRevision, m.RegistryLag)
	return m
}

// gauge makes a gauge without labels of its own.
func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}
