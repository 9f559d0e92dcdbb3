package cluster

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	config "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
)

// Replica is one process of a service.
type Replica struct {
	*Process
	Addr    string // for calls
	Admin   string // for administrators' calls; Addr without certificates
	Metrics string // HTTP
	State   string // folder of its images
}

// Ready waits until it can do its work.
func (r *Replica) Ready(ctx context.Context) error {
	return r.well(ctx, "http://"+r.Metrics+"/readyz")
}

// replicas makes all of them, from the shipped files and a variable for each thing
// that differs; a file beside the log says which.
func (k *Cluster) replicas() error {
	n := k.c.Replicas
	ports, err := k.ports(3*natsServers, 6*n)
	if err != nil {
		return err
	}
	for i := range n {
		r, err := k.replica("registry", i, ports[3*i:], k.RegistryDB)
		if err != nil {
			return err
		}
		k.Registry = append(k.Registry, r)
	}
	for i := range n {
		r, err := k.replica("reporting", i, ports[3*(n+i):], k.ReportingDB)
		if err != nil {
			return err
		}
		r.Env = append(r.Env, k.reportingEnv()...)
		k.Reporting = append(k.Reporting, r)
	}
	for _, r := range append(k.Registry[:n:n], k.Reporting...) {
		r.Env = append(r.Env, k.c.Env...)
		env := filepath.Join(k.Dir, "config", r.Name+".env")
		if err := os.WriteFile(env, []byte(shell(r.Env)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (k *Cluster) replica(service string, i int, ports []string, db pgd.Database) (*Replica, error) {
	name := fmt.Sprintf("%s-%d", service, i+1)
	dir := filepath.Join(k.Dir, "config")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	text, err := config.File(service + ".yaml")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, service+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	state := filepath.Join(k.Dir, "state", name)
	r := &Replica{Addr: ports[0], Admin: ports[1], Metrics: ports[2], State: state, Process: &Process{
		Name: name, binary: filepath.Join(k.c.Bin, "cotmoc-"+service), log: filepath.Join(k.Dir, "log", name+".log"),
		Args: []string{"serve", "--config", file},
	}}
	env := map[string]string{
		"LISTEN": r.Addr, "ADMIN_LISTEN": r.Admin, "METRICS_LISTEN": r.Metrics, "DOMAIN": domain, "STATE": state,
		"CALLER_RATE": strconv.FormatFloat(k.c.CallerRate, 'f', -1, 64), "LOG_LEVEL": "info",
		"DATABASE_URL": db.App, "DATABASE_PASSWORD_FILE": db.PasswordFile,
		"DATABASE_OWNER_URL": db.Owner, "DATABASE_OWNER_PASSWORD_FILE": db.PasswordFile,
		"TLS_CERT": "", "TLS_KEY": "", "TLS_CA": "", "TLS_CRL": "",
	}
	if k.c.Insecure {
		r.Admin = r.Addr
	} else {
		f, err := k.Files("service/" + service + "-" + fmt.Sprint(i+1))
		if err != nil {
			return nil, err
		}
		env["TLS_CERT"], env["TLS_KEY"], env["TLS_CA"], env["TLS_CRL"] = f.Cert, f.Key, f.CA, f.CRL
	}
	for _, key := range slices.Sorted(maps.Keys(env)) {
		r.Env = append(r.Env, "COTMOC_"+key+"="+env[key])
	}
	return r, nil
}

// reportingEnv is what only the reporting service is told.
func (k *Cluster) reportingEnv() []string {
	root := k
	for root.parent != nil {
		root = root.parent
	}
	env := []string{"COTMOC_REGISTRY=" + k.RegistryAddrs(), "COTMOC_NATS_URLS=" + k.NATSURLs(),
		"COTMOC_NATS_SEED=" + k.Seed("service"), "COTMOC_NATS_CA=" + root.Authority.Files("service/nats-1").CA}
	if k.c.ManualClock {
		env = append(env, "COTMOC_CLOCK=manual", "COTMOC_START="+k.c.Begin.Format(time.RFC3339))
	}
	return env
}

// RegistryAddrs is where the registry's replicas are called, with commas between.
func (k *Cluster) RegistryAddrs() string {
	return join(k.Registry, func(r *Replica) string { return r.Addr })
}

// ReportingAddrs is where the reporting service's replicas are called.
func (k *Cluster) ReportingAddrs() string {
	return join(k.Reporting, func(r *Replica) string { return r.Addr })
}

// RegistryAdmins is where administrators call the registry's replicas.
func (k *Cluster) RegistryAdmins() string {
	return join(k.Registry, func(r *Replica) string { return r.Admin })
}

// ReportingAdmins is where administrators call the reporting service's replicas.
func (k *Cluster) ReportingAdmins() string {
	return join(k.Reporting, func(r *Replica) string { return r.Admin })
}

func join(replicas []*Replica, of func(*Replica) string) string {
	var all []string
	for _, r := range replicas {
		all = append(all, of(r))
	}
	return strings.Join(all, ",")
}
