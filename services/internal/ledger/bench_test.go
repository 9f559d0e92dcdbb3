package ledger_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
)

// cells is about the least that a state can be, so that benchmarks show the engine.
type cells struct {
	parent *cells
	next   uint64
	values map[uint32]int64
	drafts []ledger.Entry
}

func newCells() *cells { return &cells{values: map[uint32]int64{}} }

func (c *cells) submit(cell uint32, value int64) {
	ev := make([]byte, 0, 96)
	ev = binary.BigEndian.AppendUint64(ev, c.next+uint64(len(c.drafts)))
	ev = binary.BigEndian.AppendUint32(ev, cell)
	ev = binary.BigEndian.AppendUint64(ev, uint64(value))
	ev = append(ev, "cotmoc.de-an-06.chip-cards.vn.79.760.26734/2022-M07/"...)
	ev = fmt.Appendf(ev, "%016x", uint64(value)*0x9e3779b97f4a7c15+uint64(cell))
	c.drafts = append(c.drafts, ledger.Entry{Event: ev})
	c.values[cell] = value
}

func (c *cells) Fork(s ledger.Stamp) *cells {
	return &cells{parent: c, next: s.Next, values: map[uint32]int64{}}
}

func (c *cells) Merge() {
	for k, v := range c.values {
		c.parent.values[k] = v
	}
	if c.parent.parent != nil {
		c.parent.drafts = append(c.parent.drafts, c.drafts...)
	}
}

func (c *cells) Drafts() []ledger.Entry { return c.drafts }
func (c *cells) Due(time.Time) bool     { return false }
func (c *cells) Tick() error            { return nil }

func (c *cells) Apply(_ uint64, e ledger.Entry) error {
	if len(e.Event) < 20 {
		return errors.New("short")
	}
	c.values[binary.BigEndian.Uint32(e.Event[8:])] = int64(binary.BigEndian.Uint64(e.Event[12:]))
	return nil
}
func (c *cells) Freeze() *cells             { return c }
func (c *cells) Fold() string               { return "cells" }
func (c *cells) WriteImage(io.Writer) error { return nil }
func (c *cells) ReadImage(io.Reader) error  { return nil }

func benchEngine(b *testing.B) *ledger.Engine[*cells] {
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	e, err := ledger.Open(b.Context(), ledger.Config[*cells]{Store: store, Empty: newCells})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(e.Close(context.Background()), store.Close()); err != nil {
			b.Error(err)
		}
	})
	return e
}

// spread runs b.N commands of size events from so many callers.
func spread(b *testing.B, e *ledger.Engine[*cells], callers, size int) {
	b.ReportAllocs()
	next := make(chan uint32)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := range next {
				_, err := e.Do(context.Background(), func(s *cells) error {
					for i := range size {
						s.submit((n+uint32(i))%270_000, int64(n))
					}
					return nil
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.ResetTimer()
	for n := range b.N {
		next <- uint32(n)
	}
	close(next)
	wg.Wait()
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(e.Stats().Entries)/float64(e.Stats().Blocks), "events/block")
}

func BenchmarkDo(b *testing.B) {
	for _, c := range []struct{ callers, size int }{{1, 1}, {64, 1}, {256, 1}, {4, 500}} {
		b.Run(fmt.Sprintf("callers=%d/events=%d", c.callers, c.size), func(b *testing.B) {
			spread(b, benchEngine(b), c.callers, c.size)
		})
	}
}

// filled returns an engine with a log of so many events in blocks of 500.
func filled(b *testing.B, events int) *ledger.Engine[*cells] {
	e := benchEngine(b)
	for range events / 500 {
		_, err := e.Do(b.Context(), func(s *cells) error {
			for i := range 500 {
				s.submit(uint32(i*531), int64(i))
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return e
}

func BenchmarkReplay(b *testing.B) {
	const events = 500_000
	e := filled(b, events)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := e.Replay(b.Context(), events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkKnownAt shows what the second page of a list at a former time costs: the
// search for its block, the state being remembered.
func BenchmarkKnownAt(b *testing.B) {
	const events = 500_000
	e := filled(b, events)
	_, block, err := e.Entry(b.Context(), events/5)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, h, _, err := e.KnownAt(b.Context(), block.Time); err != nil || h.Sequence < block.End() {
			b.Fatal(h, err)
		}
	}
}
