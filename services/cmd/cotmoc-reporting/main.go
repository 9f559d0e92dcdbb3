// Command cotmoc-reporting runs a replica of the reporting service, which takes in what
// is reported and keeps every total,
// on PostgreSQL and a NATS cluster: the form for more than one machine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/cotmoc/cotmoc/services/internal/build"
	"github.com/cotmoc/cotmoc/services/internal/config"
	"github.com/cotmoc/cotmoc/services/internal/run/distributed"
)

// cli is the command line. A setting is taken from its flag, else from its variable,
// else from the file, else it is the default.
type cli struct {
	Config kong.ConfigFlag `help:"YAML file with settings, their names as those of the flags." short:"c" env:"-" placeholder:"FILE"`
	// Version is no setting.
	Version kong.VersionFlag `help:"Print which build this is." env:"-"`

	Serve       serveCmd       `cmd:"" help:"Run a replica until it is told to stop."`
	Migrate     migrateCmd     `cmd:"" help:"Bring the tables to this release's, as the database's owner."`
	CheckConfig checkConfigCmd `cmd:"" help:"Print the settings, or say what is wrong with them."`
}

type serveCmd struct{ distributed.ReportingConfig }

// Help shows how the command is used.
func (*serveCmd) Help() string {
	return `Without TLS all addresses must be on loopback.

Examples:
  cotmoc-reporting serve --config /etc/cotmoc/reporting.yaml
  COTMOC_LOG_LEVEL=warn cotmoc-reporting serve -c reporting.yaml --listen 127.0.0.1:7620`
}

// Run runs a replica.
func (s *serveCmd) Run(ctx context.Context) error {
	return distributed.Serve(ctx, &s.Config, func(ctx context.Context) (*distributed.Process, error) {
		return distributed.Reporting(ctx, s.ReportingConfig)
	})
}

type migrateCmd struct{ distributed.ReportingConfig }

// Help shows how the command is used.
func (*migrateCmd) Help() string {
	return `Replicas may go on meanwhile: new tables come first, old ones go a release later.

Example:
  cotmoc-reporting migrate --config /etc/cotmoc/reporting.yaml`
}

// Run migrates.
func (m *migrateCmd) Run(ctx context.Context) error { return m.Database.Migrate(ctx) }

type checkConfigCmd struct{ distributed.ReportingConfig }

// Help shows how the command is used.
func (*checkConfigCmd) Help() string {
	return `Secrets are in files, of which only the names are printed.

Example:
  cotmoc-reporting check-config --config /etc/cotmoc/reporting.yaml`
}

// Run prints and checks.
func (c *checkConfigCmd) Run(command *kong.Context) error {
	err := c.Check()
	if err == nil {
		err = distributed.Print(os.Stdout, command.Flags())
	}
	return err
}

func main() {
	if err := realMain(); err != nil {
		fmt.Fprintln(os.Stderr, "cotmoc-reporting:", err)
		os.Exit(1)
	}
}

func realMain() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	parser, err := kong.New(&cli{}, append(config.Options("COTMOC"), kong.Name("cotmoc-reporting"), kong.UsageOnError(),
		kong.Description("A replica of Cotmoc's reporting service."), kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Vars{"version": build.Version()})...)
	if err != nil {
		return err
	}
	command, err := parser.Parse(os.Args[1:])
	if err != nil {
		return config.Misuse("cotmoc-reporting", err)
	}
	return command.Run()
}
