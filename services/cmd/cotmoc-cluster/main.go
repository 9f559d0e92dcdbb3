// Command cotmoc-cluster runs the whole distributed form on one machine, without
// containers: PostgreSQL, three NATS servers, replicas of both services with
// certificates. It is for trying and for tests, not for the nation.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/cotmoc/cotmoc/services/internal/build"
	"github.com/cotmoc/cotmoc/services/internal/cluster"
)

// cli is the command line.
type cli struct {
	Dir         string           `help:"Folder for configuration, state and logs; what is there is taken up again." default:"var/distributed" type:"path" placeholder:"DIR"`
	Bin         string           `help:"Folder with cotmoc-registry, cotmoc-reporting and nats-server." default:"bin" type:"path" placeholder:"DIR"`
	Replicas    int              `help:"How many of each service." default:"2"`
	BasePort    int              `help:"First of the ports that are taken, in a row; 0 for free ones." default:"7700"`
	ManualClock bool             `help:"Let reporting's clock stand still until it is set, as the demo needs it."`
	Start       string           `help:"Where a manual clock starts." default:"2022-01-10T08:00:00+07:00" placeholder:"TIME"`
	Version     kong.VersionFlag `help:"Print which build this is."`
	Probe       bool             `help:"Make a programme, send a report, print how long it all took, and stop."`
}

func main() {
	if err := realMain(); err != nil {
		fmt.Fprintln(os.Stderr, "cotmoc-cluster:", err)
		os.Exit(1)
	}
}

func realMain() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends everything at once
	var c cli
	kong.Parse(&c, kong.Name("cotmoc-cluster"), kong.Vars{"version": build.Version()}, kong.Description(`Run PostgreSQL, three NATS servers and replicas of both services.

Example: make up-distributed`))
	return c.run(ctx)
}

// run starts everything, tells where it is, and stops it when it is told to.
func (c *cli) run(ctx context.Context) (err error) {
	at, err := time.Parse(time.RFC3339, c.Start)
	if err != nil {
		return fmt.Errorf("--start %q is not a time of the form 2022-01-10T08:00:00+07:00", c.Start)
	}
	began := time.Now()
	said := func(text string) { fmt.Printf("%6.1f s  %s\n", time.Since(began).Seconds(), text) }
	k, err := cluster.Start(ctx, cluster.Config{Dir: c.Dir, Bin: c.Bin, Replicas: c.Replicas, BasePort: c.BasePort,
		ManualClock: c.ManualClock, Begin: at, Durable: true, Progress: said})
	if err != nil {
		return err
	}
	defer func() {
		said("stopping")
		err = errors.Join(err, k.Close())
		said("stopped")
	}()
	env, err := k.WriteEnv()
	if err != nil {
		return err
	}
	said("ready")
	fmt.Printf("\n  registry   %s, administrators %s\n  reporting  %s, administrators %s\n  NATS       %s\n  PostgreSQL %s\n  logs       %s/log\n\n"+
		"In another shell:\n  . %s\n  bin/cotmoc status …, watch, doctor\n\n", k.RegistryAddrs(), k.RegistryAdmins(),
		k.ReportingAddrs(), k.ReportingAdmins(), k.NATSURLs(), k.ReportingDB.App, k.Dir, env)
	if c.Probe {
		receipt, err := k.Probe(ctx)
		if err != nil {
			return err
		}
		said(fmt.Sprintf("first report accepted, as event %d", receipt.GetSequence()))
		return nil
	}
	return c.wait(ctx, k)
}

// wait returns when ctx ends. A process that ends by itself is told of, and is not
// started again: that is for whoever looks after it to see.
func (c *cli) wait(ctx context.Context, k *cluster.Cluster) error {
	told := map[string]bool{}
	for {
		for _, p := range k.Processes() {
			if !p.Running() && !told[p.Name] {
				told[p.Name] = true
				fmt.Printf("%s ended:\n%s\n", p.Name, p.Tail())
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
