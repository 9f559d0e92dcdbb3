package postgres_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
)

// BenchmarkAppend is what a block costs on a disk, from call to return.
func BenchmarkAppend(b *testing.B) {
	s, err := pgd.Start(b.Context(), pgd.Config{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	d, err := s.NewDatabase(b.Context(), "registry")
	if err != nil {
		b.Fatal(err)
	}
	st, err := postgres.Open(b.Context(), postgres.Config{URL: d.App})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	for name, entries := range map[string]int{"1": 1, "256": 256} {
		b.Run(name+"_entries", func(b *testing.B) {
			var took []time.Duration
			h, err := st.Head(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				b.StopTimer()
				block := ledgertest.Next(h, entries)
				b.StartTimer()
				began := time.Now()
				if err := st.Append(b.Context(), block); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
				h = block.Head()
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
		})
	}
	b.Run("head", func(b *testing.B) {
		for b.Loop() {
			if _, err := st.Head(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
