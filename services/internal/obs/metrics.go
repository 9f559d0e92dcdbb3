package obs

import (
	"context"
	"time"

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
	nameLedgerBlocks     = "cotmoc_ledger_blocks_total"
	nameLedgerConflicts  = "cotmoc_ledger_conflicts_total"
	nameLedgerUnsettled  = "cotmoc_ledger_unsettled_total"
	nameLedgerImage      = "cotmoc_ledger_image_sequence"
	nameLedgerTurns      = "cotmoc_ledger_turns_total"
	nameLedgerLag        = "cotmoc_ledger_follow_lag_seconds"
	nameLedgerReachable  = "cotmoc_ledger_store_reachable"
	nameLedgerRefused    = "cotmoc_ledger_writes_refused"
	nameRelayPublished   = "cotmoc_relay_published_sequence"
	nameRelayLag         = "cotmoc_relay_lag_events"
	nameRelayProblem     = "cotmoc_relay_problem"
	nameRegistryRevision = "cotmoc_registry_revision"
	nameRegistryProblem  = "cotmoc_registry_problem"
	nameSubscriptionLag  = "cotmoc_subscription_pending"
)

// Labels of metrics.
const (
	labelService = "service"
	labelMethod  = "method"
	labelCode    = "code"
	labelReason  = "reason"

	labelSubscription = "subscription"
)

// NewRegistry returns a registry of its own, with the metrics of the Go runtime
// and of the process.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Metrics are the figures that a server keeps of its calls.
type Metrics struct {
	// Calls counts finished calls by method, gRPC code and reason.
	Calls *prometheus.CounterVec
	// CallSeconds is how long unary calls took, by method.
	CallSeconds *prometheus.HistogramVec
	// Panics counts handlers that panicked: each one is a defect.
	Panics prometheus.Counter

	registerer prometheus.Registerer
}

// NewMetrics registers the metrics of a server, such as `reporting`. It panics
// when the same was registered there before.
func NewMetrics(r *prometheus.Registry, service string) *Metrics {
	m := &Metrics{
		registerer: labelled(r, service),
		Calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: nameCalls, Help: "Finished calls.",
		}, []string{labelMethod, labelCode, labelReason}),
		CallSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: nameCallSeconds, Help: "Duration of unary calls.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 17), // 0.25 ms to 16 s
		}, []string{labelMethod}),
		Panics: prometheus.NewCounter(prometheus.CounterOpts{Name: namePanics, Help: "Handlers that panicked."}),
	}
	m.registerer.MustRegister(m.Calls, m.CallSeconds, m.Panics)
	return m
}

func labelled(r *prometheus.Registry, service string) prometheus.Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{labelService: service}, r)
}

// Ledger says where a service's ledger stands; read when metrics are.
type Ledger struct {
	Head      func() uint64 // number of the newest event in the log
	Queue     func() uint64 // commands that wait for the writer loop
	Blocks    func() uint64 // blocks appended since the start
	Conflicts func() uint64 // blocks decided again because another writer came first
	Unsettled func() uint64 // appends whose outcome had to be read back
	Image     func() uint64 // number of the last event in the newest image
	Turns     func() uint64 // turns taken with other replicas; nil for none
	Reachable func() uint64 // 1 while the store answers; nil for none
	Refused   func() uint64 // 1 while writes are refused for want of room; nil for none
	Lag       func() Lag    // how late blocks of other replicas came; nil for none
}

// Lag is how late things came, as a histogram has it.
type Lag struct {
	Count   uint64
	Sum     float64            // seconds
	Buckets map[float64]uint64 // how many were not later than so many seconds
}

// WatchLedger registers the metrics of a service's ledger.
func WatchLedger(r *prometheus.Registry, service string, l Ledger) {
	labelled(r, service).MustRegister(
		gauge(nameLedgerHead, "Number of the newest event in the log.", l.Head),
		gauge(nameLedgerQueue, "Commands that wait for the writer loop.", l.Queue),
		counter(nameLedgerBlocks, "Blocks appended.", l.Blocks),
		counter(nameLedgerConflicts, "Blocks decided again because another writer came first.", l.Conflicts),
		counter(nameLedgerUnsettled, "Appends whose outcome had to be read back.", l.Unsettled),
		gauge(nameLedgerImage, "Number of the last event in the newest image.", l.Image))
	if l.Turns != nil {
		labelled(r, service).MustRegister(counter(nameLedgerTurns, "Turns taken with other replicas.", l.Turns))
	}
	if l.Reachable != nil {
		labelled(r, service).MustRegister(gauge(nameLedgerReachable, "1 while the store answers.", l.Reachable))
	}
	if l.Refused != nil {
		labelled(r, service).MustRegister(gauge(nameLedgerRefused, "1 while every write is refused because the store has no room.", l.Refused))
	}
	if l.Lag != nil {
		labelled(r, service).MustRegister(lagOf{l.Lag, prometheus.NewDesc(nameLedgerLag,
			"From the time of another replica's block to when it can be read here.", nil, nil)})
	}
}

// lagOf shows a Lag.
type lagOf struct {
	read func() Lag
	desc *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (l lagOf) Describe(to chan<- *prometheus.Desc) { to <- l.desc }

// Collect implements prometheus.Collector.
func (l lagOf) Collect(to chan<- prometheus.Metric) {
	lag := l.read()
	to <- prometheus.MustNewConstHistogram(l.desc, lag.Count, lag.Sum, lag.Buckets)
}

// Relay says where a service's stream and its copy of the registry stand.
type Relay struct {
	Published func() uint64 // last number on the stream
	Lag       func() uint64 // events of the log that are not on the stream yet
	Problem   func() uint64 // 1 while the relay cannot do its work
	Revision  func() uint64 // newest registry revision in the copy
	// Unfollowed is 1 while the registry answers and cannot be followed; nil for none.
	Unfollowed func() uint64
}

// WatchRelay registers the metrics of a service's relay and directory.
func WatchRelay(r *prometheus.Registry, service string, y Relay) {
	labelled(r, service).MustRegister(
		gauge(nameRelayPublished, "Last number on the stream.", y.Published),
		gauge(nameRelayLag, "Events of the log that are not on the stream yet.", y.Lag),
		gauge(nameRelayProblem, "1 while the relay cannot do its work.", y.Problem),
		gauge(nameRegistryRevision, "Newest registry revision in the service's copy.", y.Revision))
	if y.Unfollowed != nil {
		labelled(r, service).MustRegister(gauge(nameRegistryProblem,
			"1 while the registry answers and cannot be followed.", y.Unfollowed))
	}
}

// scrapeWithin bounds how long a scrape waits for NATS, which may be away.
const scrapeWithin = 2 * time.Second

// subscriptions reads how far each subscription is behind when metrics are read.
type subscriptions struct {
	pending *prometheus.Desc
	read    func(context.Context) map[string]uint64
}

// WatchSubscriptions registers how many messages wait for each subscription; read
// returns them by its name, nil when that cannot be told now.
func WatchSubscriptions(r *prometheus.Registry, service string, read func(context.Context) map[string]uint64) {
	labelled(r, service).MustRegister(&subscriptions{read: read, pending: prometheus.NewDesc(nameSubscriptionLag,
		"Messages of the stream that wait for a subscription.", []string{labelSubscription}, nil)})
}

// Describe implements prometheus.Collector.
func (s *subscriptions) Describe(to chan<- *prometheus.Desc) { to <- s.pending }

// Collect implements prometheus.Collector.
func (s *subscriptions) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
	defer cancel()
	for name, n := range s.read(ctx) {
		to <- prometheus.MustNewConstMetric(s.pending, prometheus.GaugeValue, float64(n), name)
	}
}

func gauge(name, help string, read func() uint64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) })
}

func counter(name, help string, read func() uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(read()) })
}
