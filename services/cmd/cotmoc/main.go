// Command cotmoc runs Cotmoc on one machine and is the tool of those who work with
// it: it starts the services, imports and applies what is owed, submits, watches,
// checks.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Up        upCmd        `cmd:"" help:"Run registry and reporting in one process, with SQLite and NATS inside."`
	Registry  registryCmd  `cmd:"" help:"Run the registry alone, on SQLite."`
	Reporting reportingCmd `cmd:"" help:"Run the reporting service alone, on SQLite, with a registry and NATS beside it."`
	Import    importCmd    `cmd:"" help:"Import official lists."`
	Apply     applyCmd     `cmd:"" help:"Make the registry be as files say."`
	Submit    submitCmd    `cmd:"" help:"Submit, correct or withdraw one report."`
	Status    statusCmd    `cmd:"" help:"Print where a programme stands: targets, tasks, quality of data."`
	Watch     watchCmd     `cmd:"" help:"Print milestones and progress as they happen."`
	Doctor    doctorCmd    `cmd:"" help:"Check the log, the totals and the stream of a running service."`
	Load      loadCmd      `cmd:"" help:"Play a wave of reports and print rate and latencies."`
	Clock     clockCmd     `cmd:"" help:"Set the manual clock."`
	Demo      demoCmd      `cmd:"" help:"Play Project 06 on a scratch instance and compare its figures."`
}

func main() {
	if err := realMain(); err != nil {
		fmt.Fprintln(os.Stderr, "cotmoc:", err)
		os.Exit(1)
	}
}

func realMain() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	parser, err := kong.New(&c, kong.Name("cotmoc"), kong.UsageOnError(),
		kong.Description("Monitor a national programme: who owes what, what was reported, what it adds up to."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(newConsole()))
	if err != nil {
		return err
	}
	command, err := parser.Parse(os.Args[1:])
	if err != nil {
		return fmt.Errorf("%w (see cotmoc --help)", err)
	}
	return command.Run()
}
