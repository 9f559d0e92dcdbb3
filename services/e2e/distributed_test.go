package e2e_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/cotmoc/cotmoc/pkg/client"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/cluster"
)

// distributed runs two replicas of each service on the servers of a cluster, with
// databases and an account of their own.
func distributed(t *testing.T, servers *cluster.Cluster, c cluster.Config) (*rig, *cluster.Cluster) {
	t.Helper()
	c.ManualClock, c.Begin = true, start
	k, err := servers.Another(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return rigOf(t, k), k
}

// rigOf is a rig whose callers are known by their certificates: an administrator, and
// the system of the country's own unit, which alone submits.
func rigOf(t *testing.T, k *cluster.Cluster) *rig {
	t.Helper()
	session := &client.Session{}
	open := func(identity, addresses string, unready bool) *client.Client {
		o, err := k.Options(identity)
		if err != nil {
			t.Fatal(err)
		}
		o.Session, o.Unready = session, unready
		c, err := client.Open(addresses, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	const ops, country = "admin/ops", "unit/vn"
	reads := open(ops, k.ReportingAddrs(), false)
	return &rig{
		apart:      true,
		registry:   open(ops, k.RegistryAddrs(), false).Registry(),
		owed:       registryv1.NewRegistryAdminServiceClient(open(ops, k.RegistryAdmins(), true).Conn()),
		reporting:  open(country, k.ReportingAddrs(), false).Reporting(),
		progress:   reads.Progress(),
		events:     reads.Events(),
		admin:      reportingv1.NewReportingAdminServiceClient(open(ops, k.ReportingAdmins(), true).Conn()),
		monitoring: reads.Monitoring(),
		review:     reads.Review(),
		nats: func(t *testing.T) *nats.Conn {
			nc, err := k.ConnectNATS("any")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(nc.Close)
			return nc
		},
	}
}

// servers starts PostgreSQL and NATS for the tests of a form, and a first pair.
func servers(t *testing.T, accounts int) *cluster.Cluster {
	t.Helper()
	began := time.Now()
	k, err := cluster.Start(t.Context(), cluster.Config{Bin: binaryFolder(t), Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the servers and a first pair are ready after %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return k
}

func TestDistributed(t *testing.T) {
	k := servers(t, 1+len(cases))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, _ := distributed(t, k, cluster.Config{})
			c.run(t, r)
		})
	}
}
