package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
	"github.com/cotmoc/cotmoc/services/internal/backup"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
)

// backupCmd copies ledgers.
type backupCmd struct {
	Create backupCreateCmd `cmd:"" default:"withargs" help:"Copy a ledger to a file; the default."`
	Verify backupVerifyCmd `cmd:"" help:"Check a backup entry by entry."`
}

// backupCreateCmd copies one ledger.
type backupCreateCmd struct {
	From         string `required:"" help:"The ledger: a file of SQLite, or postgres://role@host:port/database." placeholder:"LEDGER"`
	PasswordFile string `help:"File that holds the password of the PostgreSQL role." placeholder:"FILE"`
	Out          string `required:"" help:"File to write; it must not be there yet." placeholder:"FILE" type:"path"`
	Extend       bool   `help:"Add what is new to the backup that is there."`
}

// Help shows how the command is used.
func (*backupCreateCmd) Help() string {
	return `Services may run meanwhile. Back up the reporting ledger first and the registry's
second: reporting may lag behind the registry, and must never be ahead of it. Keep the
printed sequence and hash apart from the file. cotmoc backup create is the same as
cotmoc backup.

Examples:
  cotmoc backup --from var/cotmoc/reporting.db --out reporting.backup
  cotmoc backup --from var/cotmoc/registry.db --out registry.backup
  cotmoc backup --from 'postgres://reporting_app@db:5432/reporting?sslmode=verify-full&sslrootcert=ca.pem' --password-file app.password --out reporting.backup
  cotmoc backup --extend --from var/cotmoc/reporting.db --out reporting.backup`
}

// Run copies.
func (b *backupCreateCmd) Run(ctx context.Context, c *console) (err error) {
	store, err := existingLedger(ctx, b.From, b.PasswordFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	began := time.Now()
	progress, done := c.entries("back up")
	defer done()
	if b.Extend {
		before, head, err := backup.Extend(ctx, store, b.Out, progress)
		if err != nil {
			return err
		}
		c.printf("%s was at entry %d\n", b.Out, before.Sequence)
		return c.head(b.Out, head, began)
	}
	head, err := backup.Create(ctx, store, b.Out, progress)
	if err != nil {
		return err
	}
	return c.head(b.Out, head, began)
}

// backupVerifyCmd checks a backup.
type backupVerifyCmd struct {
	File string `arg:"" help:"The backup." type:"path"`
}

// Help shows how the command is used.
func (*backupVerifyCmd) Help() string {
	return `Compare the printed sequence and hash with those that were printed when the backup
was made: a file that was exchanged for another backup holds in itself.

Example:
  cotmoc backup verify reporting.backup`
}

// Run checks.
func (v *backupVerifyCmd) Run(ctx context.Context, c *console) error {
	f, err := os.Open(v.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	began := time.Now()
	head, err := backup.Verify(ctx, f, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", v.File, err)
	}
	return c.head(v.File, head, began)
}

// head prints where a backup or a restored ledger ends.
func (c *console) head(what string, h ledger.Head, began time.Time) error {
	c.printf("%s ends with entry %d of %s, epoch %d, level %d\nchain hash %x\n%s\n", what, h.Sequence,
		show.Time(h.Time), h.Epoch, h.Level, h.Hash[:], time.Since(began).Round(time.Millisecond))
	return nil
}

// entries draws how many entries are done. How many there are is known at the first.
func (c *console) entries(what string) (progress backup.Progress, done func()) {
	var add func(int)
	at, end := uint64(0), func() {}
	return func(n, total uint64) {
		if add == nil {
			add, end = c.bar(int(total), what)
		}
		add(int(n - at))
		at = n
	}, func() { end() }
}

// isPostgres reports whether a ledger is named by the address of a database.
func isPostgres(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// existingLedger opens a ledger that is there.
func existingLedger(ctx context.Context, name, passwordFile string) (ledger.Store, error) {
	if isPostgres(name) {
		return postgres.Open(ctx, postgres.Config{URL: name, PasswordFile: passwordFile})
	}
	if passwordFile != "" {
		return nil, errors.New("--password-file goes with a postgres:// address")
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no ledger %s", name)
	}
	return sqlite.Open(ctx, name)
}
