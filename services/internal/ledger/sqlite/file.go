package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pressly/goose/v3"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ready sees to it that there is a database at path: a new one is made whole
// beside it and then linked into place, so that a file that is there and empty, or
// gone while its -wal is not, was damaged by somebody else.
func ready(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Size() == 0:
		return fmt.Errorf("the file is empty: %w", ledger.ErrDamaged)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		return fmt.Errorf("the file is gone, its -wal is there: %w", ledger.ErrDamaged)
	}
	return create(ctx, path)
}

// create makes a new database. When another process is first, its file is kept.
func create(ctx context.Context, path string) (err error) {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	temp := f.Name()
	defer func() { err = errors.Join(err, os.Remove(temp)) }()
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return err
	}
	if err := build(ctx, temp); err != nil {
		return err
	}
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(folder)
}

// build writes the tables into an empty file; closing it folds its WAL in.
func build(ctx context.Context, path string) (err error) {
	db, err := connect(path, "_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if err := migrate(ctx, db); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// connect names a database that must exist. Nothing is opened before the first use.
func connect(path, pragma string) (*sql.DB, error) {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return sql.Open("sqlite", "file:"+escaped+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&"+pragma)
}

// migrate brings the tables up to this release's, and refuses a newer one's.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	at, newest, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if at > newest {
		return fmt.Errorf("tables of version %d, this release knows %d: %w", at, newest, ledger.ErrLevel)
	}
	if at == newest {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate from version %d: %w", at, err)
	}
	return nil
}

// fits reports by ledger.ErrFull whether the disk has no room for a file of roomBytes.
func fits(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.Write(make([]byte, roomBytes))
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = errors.Join(ledger.ErrFull, err)
	}
	return err
}
