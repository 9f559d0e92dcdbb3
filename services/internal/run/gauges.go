package run

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/obs"
)

// watchLedger registers the metrics of an engine; nothing without a registry.
func watchLedger[S ledger.State[S]](r *prometheus.Registry, service string, e *ledger.Engine[S]) {
	if r == nil {
		return
	}
	obs.WatchLedger(r, service, obs.Ledger{
		Head:      func() uint64 { return e.Head().Sequence },
		Queue:     func() uint64 { return uint64(e.Stats().Waiting) },
		Blocks:    func() uint64 { return e.Stats().Blocks },
		Conflicts: func() uint64 { return e.Stats().Conflicts },
		Unsettled: func() uint64 { return e.Stats().Unsettled },
		Image:     func() uint64 { return e.Stats().Imaged },
	})
}
