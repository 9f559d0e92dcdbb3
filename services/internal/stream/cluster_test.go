package stream_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cotmoc/cotmoc/services/internal/natstest"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

func threefold(c *stream.RelayConfig) { c.Replicas = 3 }

// whole waits until the stream is the log, also where a server has just come to lead.
func whole(t *testing.T, nc *nats.Conn, e *engine, r *stream.Relay) {
	t.Helper()
	until(t, "all published", func() bool { return r.Published() == e.Head().Sequence })
	err := errors.New("not looked at")
	for deadline := time.Now().Add(time.Minute); err != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		err = differs(t, nc, e) // a server that catches up cannot be read for a while
	}
}

func TestRelay_in_a_cluster(t *testing.T) {
	c := natstest.StartCluster(t, 3)
	nc := c.Connect()
	e := newEngine(t)
	r, _ := run(t, c.Connect(), e, threefold)
	grow(t, e, 20, 20)
	whole(t, nc, e, r)
	s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(1))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.CachedInfo().Config; got.Replicas != 3 || !got.DenyDelete || !got.DenyPurge || got.MaxBytes <= 0 {
		t.Errorf("%+v", got)
	}
	for _, wipe := range []bool{false, true} {
		var wg sync.WaitGroup
		wg.Go(func() { grow(t, e, 300, 3) })
		leader := -1
		until(t, "somebody leads", func() bool { leader = c.Leader(nc, stream.FactsName(1)); return leader >= 0 })
		c.Stop(leader)
		grow(t, e, 50, 3)
		wg.Wait()
		whole(t, nc, e, r)
		if wipe {
			c.Wipe(leader)
		}
		c.Start(leader)
		grow(t, e, 50, 3)
		whole(t, nc, e, r)
	}
	if r.Rebuilt() != 1 || r.Problem() != "" {
		t.Errorf("made %d times, problem %q", r.Rebuilt(), r.Problem())
	}
}

func TestRelay_fills_a_cluster_that_lost_everything(t *testing.T) {
	c := natstest.StartCluster(t, 3)
	e := newEngine(t)
	grow(t, e, 20, 20)
	r, _ := run(t, c.Connect(), e, threefold)
	whole(t, c.Connect(), e, r)
	for i := range 3 {
		c.Stop(i)
		c.Wipe(i)
	}
	grow(t, e, 5, 5)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { c.Start(i) })
	}
	wg.Wait()
	until(t, "made again", func() bool { return r.Rebuilt() == 2 })
	whole(t, c.Connect(), e, r)
}

func TestRelay_says_that_nothing_gets_through_without_a_majority(t *testing.T) {
	c := natstest.StartCluster(t, 3)
	e := newEngine(t)
	r, _ := run(t, c.Connect(), e, threefold)
	grow(t, e, 5, 5)
	whole(t, c.Connect(), e, r)
	c.Stop(0)
	c.Stop(1)
	grow(t, e, 5, 5)
	until(t, "seen", func() bool { return r.Problem() != "" })
	t.Log(r.Problem())
	c.Start(0)
	c.Start(1)
	grow(t, e, 5, 5)
	until(t, "goes on by itself", func() bool { return r.Problem() == "" && r.Published() == e.Head().Sequence })
	whole(t, c.Connect(), e, r)
}

func TestRelay_makes_a_stream_again_that_no_server_leads(t *testing.T) {
	c := natstest.StartCluster(t, 5)
	e := newEngine(t)
	grow(t, e, 20, 20)
	r, _ := run(t, c.Connect(), e, threefold, func(c *stream.RelayConfig) { c.Leaderless = time.Second })
	nc := c.Connect()
	until(t, "published", func() bool { return r.Published() == e.Head().Sequence })
	s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(1))
	if err != nil {
		t.Fatal(err)
	}
	// Two of the three that have the stream go; three of five are a cluster still.
	for _, p := range s.CachedInfo().Cluster.Replicas {
		c.Stop(int(p.Name[1] - '0'))
	}
	grow(t, e, 5, 5)
	for end := time.Now().Add(90 * time.Second); r.Rebuilt() < 2 || r.Published() < e.Head().Sequence; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("made %d times, published %d of %d: %s", r.Rebuilt(), r.Published(), e.Head().Sequence, r.Problem())
		}
	}
	whole(t, c.Connect(), e, r)
}
