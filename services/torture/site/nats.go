package site

import (
	"context"
	"fmt"
	"os"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/torture/fault"
)

// Wipe takes away what the NATS servers keep; they must not run.
func (s *Site) Wipe() error {
	for _, n := range s.NATS {
		if err := os.RemoveAll(n.Store); err != nil {
			return fmt.Errorf("wipe %s: %w", n.Name, err)
		}
	}
	return nil
}

// Keep copies what the NATS servers keep.
func (s *Site) Keep() error {
	for _, n := range s.NATS {
		if err := fault.Copy(n.Store, n.Store+".old"); err != nil {
			return err
		}
	}
	return nil
}

// RollBack puts back what Keep copied; the servers must not run.
func (s *Site) RollBack() error {
	for _, n := range s.NATS {
		if err := fault.Copy(n.Store+".old", n.Store); err != nil {
			return err
		}
	}
	return nil
}

// Leader names the server that leads the stream of facts.
func (s *Site) Leader(ctx context.Context) (string, error) {
	nc, err := s.connect()
	if err != nil {
		return "", err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return "", err
	}
	st, err := js.Stream(ctx, stream.FactsName(1))
	if err != nil {
		return "", err
	}
	if c := st.CachedInfo().Cluster; c != nil {
		return c.Leader, nil
	}
	return "", nil
}
