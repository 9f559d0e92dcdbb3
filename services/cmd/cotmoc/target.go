package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// reachWithin is how long a service may take to answer at first; one that is just
// starting replays its log.
const reachWithin = 5 * time.Second

// target is the services that a command talks to.
type target struct {
	RegistryAddr  string `name:"registry" help:"Address of the registry; ${default} when not given." default:"127.0.0.1:7600" env:"COTMOC_REGISTRY" placeholder:"HOST:PORT"`
	ReportingAddr string `name:"reporting" help:"Address of the reporting service; ${default} when not given." default:"127.0.0.1:7600" env:"COTMOC_REPORTING" placeholder:"HOST:PORT"`
}

// services is connections to a target; one when both services have one address.
type services struct {
	atRegistry, atReporting *client.Client
}

// dial connects to both services.
func (t *target) dial(ctx context.Context) (*services, error) {
	registry, err := reach(ctx, t.RegistryAddr)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	if t.ReportingAddr == t.RegistryAddr {
		return &services{registry, registry}, nil
	}
	reporting, err := reach(ctx, t.ReportingAddr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reporting: %w", err), registry.Close())
	}
	return &services{registry, reporting}, nil
}

// reach connects to one service, and gives up soon: at a terminal somebody waits.
func reach(ctx context.Context, address string) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	c, err := client.Dial(ctx, address, client.Options{})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("nobody answers at %s after %s; is cotmoc up running?", address, reachWithin)
	}
	return c, err
}

func (s *services) close() {
	_ = s.atRegistry.Close()
	if s.atReporting != s.atRegistry {
		_ = s.atReporting.Close()
	}
}

// registry reads what is owed.
func (s *services) registry() registryv1.RegistryServiceClient { return s.atRegistry.Registry() }

// writes changes what is owed.
func (s *services) writes() registryv1.RegistryAdminServiceClient {
	return s.atRegistry.RegistryAdmin()
}

// progress reads figures.
func (s *services) progress() reportingv1.ProgressServiceClient { return s.atReporting.Progress() }

// monitoring reads who owes what, how good the data is, who leads and who lags.
func (s *services) monitoring() reportingv1.MonitoringServiceClient {
	return s.atReporting.Monitoring()
}

// review decides about what units report.
func (s *services) review() reportingv1.ReviewServiceClient { return s.atReporting.Review() }

// admin is for those who run reporting.
func (s *services) admin() reportingv1.ReportingAdminServiceClient {
	return s.atReporting.ReportingAdmin()
}

// events is for subscribers.
func (s *services) events() reportingv1.EventServiceClient { return s.atReporting.Events() }
