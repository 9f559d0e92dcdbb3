package obs

import "github.com/prometheus/client_golang/prometheus"

// nameRefusals is the count of those whom a server did not let in or hung up on.
const nameRefusals = "cotmoc_connections_refused_total"

// refusals reads the counts when metrics are.
type refusals struct {
	desc *prometheus.Desc
	read func() map[string]uint64
}

// WatchRefusals registers how many handshakes a server refused and how many connections it
// ended, by reason. Calls that were refused are among the finished calls.
func (m *Metrics) WatchRefusals(read func() map[string]uint64) {
	m.registerer.MustRegister(&refusals{read: read, desc: prometheus.NewDesc(nameRefusals,
		"Handshakes refused and connections ended for what their callers did.", []string{labelReason}, nil)})
}

// Describe implements prometheus.Collector.
func (c *refusals) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect implements prometheus.Collector.
func (c *refusals) Collect(to chan<- prometheus.Metric) {
	for reason, n := range c.read() {
		to <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(n), reason)
	}
}
