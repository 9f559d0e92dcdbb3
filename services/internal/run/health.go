package run

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/cotmoc/cotmoc/services/internal/obs"
)

// healths answers the gRPC health protocol at each port, for the services that are
// served there by their full names, and under the empty name for all of them together.
type healths struct {
	parts []Part
	of    map[string]int // place in parts, by a service's name; absent for what belongs to no part
	ports map[*grpc.Server]*health.Server
}

func newHealths(parts []Part, servers ...*grpc.Server) *healths {
	h := &healths{parts: parts, of: make(map[string]int), ports: make(map[*grpc.Server]*health.Server)}
	for _, s := range servers {
		if h.ports[s] == nil {
			h.ports[s] = health.NewServer()
			grpc_health_v1.RegisterHealthServer(s, h.ports[s])
		}
	}
	return h
}

// look makes the answers true. A service is serving while its part can do its work,
// also while writes alone are refused: reads are answered then, and a write is told why
// it is refused, which a closed door would not say.
func (h *healths) look(ctx context.Context) {
	well, all := make([]bool, len(h.parts)), true
	for i, p := range h.parts {
		well[i] = isServing(ctx, p.Ready())
		all = all && well[i]
	}
	for server, port := range h.ports {
		port.SetServingStatus("", status(all))
		for name := range server.GetServiceInfo() {
			if i, ok := h.of[name]; ok {
				port.SetServingStatus(name, status(well[i]))
			} else {
				port.SetServingStatus(name, status(all))
			}
		}
	}
}

// stop answers for good that nothing is serving.
func (h *healths) stop() {
	for _, port := range h.ports {
		port.Shutdown()
	}
}

func isServing(ctx context.Context, checks []obs.Check) bool {
	for _, c := range checks {
		if !c.WritesOnly && c.Run(ctx) != nil {
			return false
		}
	}
	return true
}

func status(well bool) grpc_health_v1.HealthCheckResponse_ServingStatus {
	if well {
		return grpc_health_v1.HealthCheckResponse_SERVING
	}
	return grpc_health_v1.HealthCheckResponse_NOT_SERVING
}
