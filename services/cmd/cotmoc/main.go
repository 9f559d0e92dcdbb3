// Command cotmoc runs Cotmoc on one machine and is the tool of those who work with
// it: it starts the services, imports and applies what is owed, submits, watches,
// checks.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cotmoc/cotmoc/services/internal/build"
	"github.com/cotmoc/cotmoc/services/internal/config"
)

// cli is the command line.
type cli struct {
	Version kong.VersionFlag `help:"Print which build this is."`

	Up        upCmd        `cmd:"" help:"Run registry and reporting in one process, with SQLite and NATS inside."`
	Registry  registryCmd  `cmd:"" help:"Run the registry alone, on SQLite."`
	Reporting reportingCmd `cmd:"" help:"Run the reporting service alone, on SQLite, with a registry and NATS beside it."`
	Import    importCmd    `cmd:"" help:"Import official lists."`
	Apply     applyCmd     `cmd:"" help:"Make the registry be as files say."`
	Submit    submitCmd    `cmd:"" help:"Submit, correct or withdraw one report."`
	Status    statusCmd    `cmd:"" help:"Print where a programme stands: targets, tasks, quality of data."`
	Due       dueCmd       `cmd:"" help:"Print who owes a report or a task, and who has not done it."`
	Grant     grantCmd     `cmd:"" help:"Give a unit another due date, or excuse it."`
	Review    reviewCmd    `cmd:"" help:"Accept or return a completion of a task."`
	Finding   findingCmd   `cmd:"" help:"Values that look wrong."`
	Rank      rankCmd      `cmd:"" help:"Rank units by a scorecard; who is commended, who is slow."`
	Close     closeCmd     `cmd:"" help:"Freeze everything at a day; list and export what was frozen."`
	Watch     watchCmd     `cmd:"" help:"Print milestones and progress as they happen."`
	Doctor    doctorCmd    `cmd:"" help:"Check the log, the totals and the stream of a running service."`
	Events    eventsCmd    `cmd:"" help:"Subscriptions, what they set aside, and the epoch of the stream."`
	NATS      natsCmd      `cmd:"" name:"nats" help:"Users of NATS, who read events, and their accounts."`
	Log       logCmd       `cmd:"" help:"The logs of the services."`
	Backup    backupCmd    `cmd:"" help:"Copy a service's ledger to a file, or check such a file."`
	Restore   restoreCmd   `cmd:"" help:"Make a ledger of a backup."`
	Load      loadCmd      `cmd:"" help:"Play a wave of reports and print rate and latencies."`
	Clock     clockCmd     `cmd:"" help:"Set the manual clock."`
	Certs     certsCmd     `cmd:"" help:"Make and revoke certificates for tests."`
	Demo      demoCmd      `cmd:"" help:"Play Project 06 on a scratch instance and compare its figures."`
}

// stoppedBySignal is the exit status by which shells tell that a signal ended a command.
const stoppedBySignal = 130

func main() {
	switch err := realMain(); {
	case errors.Is(err, errStopped):
		os.Exit(stoppedBySignal) // whoever stopped it knows
	case err != nil:
		fmt.Fprintln(os.Stderr, "cotmoc:", err)
		os.Exit(1)
	}
}

// errStopped says that a signal ended a command before it was done.
var errStopped = errors.New("stopped")

// stopped is errStopped for an error that only tells that ctx ended.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled) {
		return errStopped
	}
	return err
}

func realMain() error {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup does
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	var c cli
	parser, err := kong.New(&c, kong.Name("cotmoc"), kong.UsageOnError(),
		kong.Description("Monitor a national programme: who owes what, what was reported, what it adds up to."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(newConsole()),
		kong.Vars{"version": build.Version()})
	if err != nil {
		return err
	}
	command, err := parser.Parse(config.Gather(parser.Model, os.Args[1:]))
	if err != nil {
		return config.Misuse("cotmoc", err)
	}
	return stopped(ctx, command.Run())
}
