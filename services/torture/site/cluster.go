package site

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/nats-io/nats.go"

	"github.com/cotmoc/cotmoc/services/internal/cluster"
	"github.com/cotmoc/cotmoc/services/torture/fault"
	"github.com/cotmoc/cotmoc/services/torture/load"
)

// BuildCluster makes the programs of a cluster, with the failpoint tag.
func BuildCluster(ctx context.Context, bin string) error { return cluster.Build(ctx, bin, "failpoint") }

// Cluster runs two replicas of each service on PostgreSQL and three NATS servers,
// with certificates, with programs from bin, in dir, where one may have been before.
func Cluster(ctx context.Context, dir, bin string) (_ *Site, err error) {
	k, err := cluster.Start(ctx, cluster.Config{Dir: dir, Bin: bin, Durable: true, CallerRate: -1, Env: []string{"COTMOC_LOG_LEVEL=warn"}})
	if err != nil {
		return nil, err
	}
	s := &Site{Kind: "cluster", Dir: dir, Database: k.Postgres}
	s.close = func() { _ = k.Close() } // what it did is judged before
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.caller, err = k.Options("unit/" + load.Root); err != nil {
		return nil, err
	}
	if s.admin, err = k.Options("admin/ops"); err != nil {
		return nil, err
	}
	s.connect = func() (*nats.Conn, error) {
		return k.ConnectNATS("any", nats.RetryOnFailedConnect(true), nats.ErrorHandler(quiet))
	}
	for _, r := range k.Registry {
		s.Registry = append(s.Registry, clustered(r, nil))
	}
	for _, r := range k.Reporting {
		proxy, err := fault.NewProxy(r.Addr)
		if err != nil {
			return nil, fmt.Errorf("proxy of %s: %w", r.Name, err)
		}
		s.Reporting = append(s.Reporting, clustered(r, proxy))
	}
	for _, n := range k.NATS {
		s.NATS = append(s.NATS, &Node{Name: n.Name, Handle: n.Process, Store: filepath.Clean(n.Store), Monitor: n.Monitor})
	}
	return s, nil
}

// quiet is told of permissions and slow consumers; the checks of what subscribers were
// given say more.
func quiet(*nats.Conn, *nats.Subscription, error) {}

// clustered is a replica of the cluster as the rig sees it.
func clustered(r *cluster.Replica, proxy *fault.Proxy) *Replica {
	env := r.Env
	return &Replica{Name: r.Name, Handle: r.Process, Addr: r.Addr, Admin: r.Admin, Metrics: r.Metrics, Proxy: proxy,
		setEnv: func(more []string) { r.Env = append(env[:len(env):len(env)], more...) }}
}
