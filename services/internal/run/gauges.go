package run

import (
	"context"

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
		Turns:     func() uint64 { return e.Stats().Turns },
		Reachable: func() uint64 {
			if e.Reachable() != nil {
				return 0
			}
			return 1
		},
		Refused: func() uint64 {
			if e.Refused() != nil {
				return 1
			}
			return 0
		},
		Lag: func() obs.Lag { return lagOf(e.Stats().Lags) },
	})
}

// ledgerChecks are well while an engine can append: it has understood all that others
// wrote, its store answers, and has room.
func ledgerChecks[S ledger.State[S]](name string, e *ledger.Engine[S]) []obs.Check {
	return []obs.Check{
		{Name: name, Run: func(context.Context) error {
			if err := e.Err(); err != nil {
				return err
			}
			return e.Reachable()
		}},
		{Name: "room in the " + name, WritesOnly: true, Run: func(context.Context) error { return e.Refused() }},
	}
}

// lagOf is an engine's lag as a metric.
func lagOf(l ledger.Lags) obs.Lag {
	out := obs.Lag{Count: l.Count, Sum: l.Sum.Seconds(), Buckets: make(map[float64]uint64, len(l.Buckets))}
	for i, n := range l.Buckets {
		out.Buckets[ledger.LagBounds[i]] = n
	}
	return out
}
