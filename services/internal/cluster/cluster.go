// Package cluster runs the whole distributed form on one machine, as real processes
// from generated configuration in a folder: PostgreSQL, three NATS servers, replicas
// of both services, with certificates of a test authority. It is what `make
// up-distributed` starts and what tests break: every process can be killed, stopped,
// frozen and started again, and nothing restarts by itself.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cotmoc/cotmoc/pkg/client"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
)

// domain is the trust domain of all identities.
const domain = "cotmoc.test"

// readyWithin is how long all processes may take to be ready, cold caches included.
const readyWithin = 90 * time.Second

// Config says what to run and where. The zero Config runs two replicas of each
// service in a temporary folder, with binaries built for it.
type Config struct {
	// Dir holds configuration, state and logs, and is taken up again where there is
	// a cluster in it; empty for a temporary folder, which Close removes.
	Dir string
	// Bin is a folder with cotmoc-registry, cotmoc-reporting and nats-server; empty
	// to build them, with Tags, below Dir.
	Bin  string
	Tags string
	// Replicas is how many of each service; 0 is 2.
	Replicas int
	// ManualClock lets reporting's clock stand still at Begin until it is set.
	ManualClock bool
	Begin       time.Time
	// Durable keeps PostgreSQL on disk in a temporary folder, too.
	Durable bool
	// BasePort is the first of the ports that are taken, in a row; 0 for free ones.
	BasePort int
	// Env is for all replicas, beside what the cluster gives them.
	Env []string
	// Accounts is how many clusters can share the servers, this one included, by
	// Another; 0 is 1.
	Accounts int
	// CallerRate is what one caller may spend each second; 0 for what replicas have by
	// themselves, below zero for no limit.
	CallerRate float64
	// Insecure runs the services without certificates and identities.
	Insecure bool
	// Progress is told what is done, a line a thing; nil for nobody.
	Progress func(string)
}

// Cluster is both services at work, on servers of their own or on another's.
type Cluster struct {
	Dir                     string
	Postgres                *pgd.Server
	RegistryDB, ReportingDB pgd.Database
	NATS                    []*Server
	Registry, Reporting     []*Replica
	Authority               *authority.Authority // nil when Insecure

	c       Config
	name    string // of what is its own on shared servers: account, databases
	parent  *Cluster
	scratch string
	issue   sync.Mutex
	shared  sync.Mutex
	made    int // accounts that are taken
}

// Start starts everything and returns when every replica is ready. When it fails,
// nothing is left running.
func Start(ctx context.Context, c Config) (_ *Cluster, err error) {
	if c.Replicas == 0 {
		c.Replicas = 2
	}
	c.Accounts = max(c.Accounts, 1)
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	k := &Cluster{c: c, Dir: c.Dir, name: accountName(0), made: 1}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.Close())
		}
	}()
	if err := k.folder(); err != nil {
		return nil, err
	}
	if k.c.Bin == "" {
		k.c.Bin = filepath.Join(k.Dir, "bin")
		k.say("building the programs")
		if err := Build(ctx, k.c.Bin, c.Tags); err != nil {
			return nil, err
		}
	}
	if k.Authority, err = k.authority(); err != nil {
		return nil, err
	}
	if err := k.servers(ctx); err != nil {
		return nil, err
	}
	return k, k.services(ctx)
}

// Another starts both services anew on the same PostgreSQL and NATS servers, with
// databases and an account of their own. What is not said in c is as in the first.
func (k *Cluster) Another(ctx context.Context, c Config) (_ *Cluster, err error) {
	k.shared.Lock()
	n := k.made
	k.made++
	k.shared.Unlock()
	if n >= k.c.Accounts {
		return nil, fmt.Errorf("cluster: all %d accounts are taken", k.c.Accounts)
	}
	if c.Replicas == 0 {
		c.Replicas = k.c.Replicas
	}
	c.Bin, c.Insecure, c.Progress, c.BasePort, c.CallerRate = k.c.Bin, k.c.Insecure, k.c.Progress, 0, k.c.CallerRate
	next := &Cluster{c: c, parent: k, name: accountName(n), Dir: filepath.Join(k.Dir, accountName(n)),
		Postgres: k.Postgres, NATS: k.NATS, Authority: k.Authority}
	defer func() {
		if err != nil {
			err = errors.Join(err, next.Close())
		}
	}()
	return next, next.services(ctx)
}

// accountName is what is a cluster's own on shared servers.
func accountName(n int) string { return fmt.Sprintf("c%d", n) }

func (k *Cluster) say(format string, args ...any) { k.c.Progress(fmt.Sprintf(format, args...)) }

func (k *Cluster) folder() (err error) {
	if k.Dir == "" {
		if k.scratch, err = os.MkdirTemp("", "cotmoc-cluster-"); err != nil {
			return err
		}
		// PostgreSQL, as a user of its own, has to get to its folder below.
		if err := os.Chmod(k.scratch, 0o711); err != nil {
			return err
		}
		k.Dir = k.scratch
	}
	if k.Dir, err = filepath.Abs(k.Dir); err != nil {
		return err
	}
	return os.MkdirAll(k.Dir, 0o711)
}

// authority makes the test authority, or opens the one there is.
func (k *Cluster) authority() (*authority.Authority, error) {
	dir := filepath.Join(k.Dir, "certs")
	a, err := authority.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		a, err = authority.New(dir, domain)
	}
	return a, err
}

// Files are those of an identity such as `admin/ops` or `unit/79`, whose certificate
// is made when it is first asked for. Services answer at this machine's loopback.
func (k *Cluster) Files(identity string) (auth.Files, error) {
	if k.parent != nil {
		return k.parent.Files(identity)
	}
	k.issue.Lock()
	defer k.issue.Unlock()
	var hosts []string
	if strings.HasPrefix(identity, string(auth.Service)+"/") {
		hosts = []string{"127.0.0.1", "localhost"}
	}
	f, err := k.Authority.Issue(identity, hosts...)
	if errors.Is(err, fs.ErrExist) {
		return k.Authority.Files(identity), nil
	}
	return f, err
}

// Options are those of a client with an identity.
func (k *Cluster) Options(identity string) (client.Options, error) {
	if k.c.Insecure {
		return client.Options{}, nil
	}
	f, err := k.Files(identity)
	return client.Options{TLS: &client.TLS{Cert: f.Cert, Key: f.Key, CA: f.CA}}, err
}

// services makes databases and starts all replicas.
func (k *Cluster) services(ctx context.Context) (err error) {
	k.say("databases")
	if k.RegistryDB, err = k.database(ctx, k.name+"_registry"); err != nil {
		return err
	}
	if k.ReportingDB, err = k.database(ctx, k.name+"_reporting"); err != nil {
		return err
	}
	if err := k.replicas(); err != nil {
		return err
	}
	k.say("%d replicas of each service", k.c.Replicas)
	for _, r := range append(k.Registry[:len(k.Registry):len(k.Registry)], k.Reporting...) {
		if err := r.Start(); err != nil {
			return err
		}
	}
	return k.Ready(ctx)
}

// database makes one where it was not made before.
func (k *Cluster) database(ctx context.Context, name string) (pgd.Database, error) {
	made := filepath.Join(k.Dir, name+".made")
	if _, err := os.Stat(made); err == nil {
		return k.Postgres.Database(name), nil
	}
	db, err := k.Postgres.NewDatabase(ctx, name)
	if err != nil {
		return db, err
	}
	if err := os.MkdirAll(k.Dir, 0o711); err != nil {
		return db, err
	}
	return db, os.WriteFile(made, nil, 0o600)
}

// Ready waits until every replica that runs is ready.
func (k *Cluster) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for _, r := range append(k.Registry[:len(k.Registry):len(k.Registry)], k.Reporting...) {
		if err := r.Ready(ctx); r.Running() && err != nil {
			return err
		}
	}
	return nil
}

// Processes are the NATS servers and the replicas.
func (k *Cluster) Processes() (all []*Process) {
	for _, s := range k.NATS {
		all = append(all, s.Process)
	}
	for _, r := range append(k.Registry[:len(k.Registry):len(k.Registry)], k.Reporting...) {
		all = append(all, r.Process)
	}
	return all
}

// Close stops what this cluster started, services first, and waits for it.
func (k *Cluster) Close() error {
	var errs []error
	for _, replicas := range [][]*Replica{k.Reporting, k.Registry} {
		var all sync.WaitGroup
		failed := make([]error, len(replicas))
		for i, r := range replicas {
			all.Go(func() { failed[i] = r.Stop() })
		}
		all.Wait()
		errs = append(errs, failed...)
	}
	if k.parent != nil {
		return errors.Join(errs...)
	}
	for _, s := range k.NATS {
		errs = append(errs, s.Stop())
	}
	if k.Postgres != nil {
		errs = append(errs, k.Postgres.Close())
	}
	if k.scratch != "" {
		errs = append(errs, os.RemoveAll(k.scratch))
	}
	return errors.Join(errs...)
}
