package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/backup"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
)

// restoreCmd makes a ledger of a backup.
type restoreCmd struct {
	File         string `arg:"" help:"The backup." type:"path"`
	To           string `required:"" help:"The new ledger: a file of SQLite that is not there yet, or an empty database, postgres://role@host:port/database." placeholder:"LEDGER"`
	PasswordFile string `help:"File that holds the password of the PostgreSQL role." placeholder:"FILE"`
	ToLastEnd    bool   `help:"Of a backup that was being extended when that was interrupted, restore what it held before."`
}

// Help shows how the command is used.
func (*restoreCmd) Help() string {
	return `The whole backup is checked before the first entry is written. Compare the printed
sequence and hash with those of the backup. Where subscribers may have seen more than
the backup holds, declare a new epoch once the services run: cotmoc events new-epoch.
A ledger restored into the other kind of database goes on there.
A backup that was being extended when the machine was lost is cut short after a good
end: --to-last-end restores up to there.

Examples:
  cotmoc restore reporting.backup --to var/cotmoc/reporting.db
  cotmoc restore reporting.backup --to 'postgres://reporting_app@db:5432/reporting?sslmode=verify-full&sslrootcert=ca.pem' --password-file app.password`
}

// Run restores.
func (r *restoreCmd) Run(ctx context.Context, c *console) error {
	f, err := os.Open(r.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	from := io.NewSectionReader(f, 0, math.MaxInt64)
	if r.ToLastEnd {
		whole, err := backup.Whole(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", r.File, err)
		}
		from = io.NewSectionReader(f, 0, whole)
	}
	began := time.Now()
	progress, done := c.entries("restore")
	defer done()
	var head ledger.Head
	switch {
	case isPostgres(r.To):
		head, err = restorePostgres(ctx, from, postgres.Config{URL: r.To, PasswordFile: r.PasswordFile}, progress)
	case r.PasswordFile != "":
		err = errors.New("--password-file goes with a postgres:// address")
	default:
		head, err = restoreFile(ctx, from, r.To, progress)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.File, err)
	}
	return c.head(r.To, head, began)
}

// restorePostgres restores into an empty database.
func restorePostgres(ctx context.Context, f io.ReadSeeker, config postgres.Config, progress backup.Progress) (head ledger.Head, err error) {
	store, err := postgres.Open(ctx, config)
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	head, err = backup.Restore(ctx, f, store, progress)
	if err == nil || errors.Is(err, backup.ErrNotEmpty) {
		return head, err
	}
	// The command may have been stopped: whether something was written is asked all the same.
	if at, herr := store.Head(context.WithoutCancel(ctx)); herr != nil || at.Sequence > 0 {
		err = fmt.Errorf("the database may hold a part of the log: drop it, make it anew and begin again: %w", err)
	}
	return head, err
}

// restoreFile restores into a file beside the new one, which comes to be only when it
// is whole and on the disk.
func restoreFile(ctx context.Context, f io.ReadSeeker, path string, progress backup.Progress) (head ledger.Head, err error) {
	for _, there := range []string{path, path + "-wal"} {
		if _, err := os.Lstat(there); err == nil {
			return head, fmt.Errorf("%s is there already: move it away first", there)
		}
	}
	folder, err := os.MkdirTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return head, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	part := filepath.Join(folder, "ledger.db")
	store, err := sqlite.Open(ctx, part)
	if err != nil {
		return head, err
	}
	head, err = backup.Restore(ctx, f, store, progress)
	if err = errors.Join(err, store.Close()); err != nil { // closing folds its -wal in
		return head, err
	}
	if _, err := os.Lstat(part + "-wal"); err == nil {
		return head, errors.New("the restored file could not be closed")
	}
	if err := os.Link(part, path); err != nil { // fails where somebody was faster
		return head, err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return head, err
	}
	return head, errors.Join(d.Sync(), d.Close())
}
