package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schema is the number of this release's last migration. A migration only adds to
// what the release before it uses, and takes away what that one needs no more: so
// two releases that follow each other run on the same tables.
const schema = 1

const (
	versionSQL = `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`

	// Who may change the log, or keeps it where a crash empties it, could lose what
	// was committed.
	fitSQL = `SELECT c.relpersistence = 'p', has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
FROM pg_class AS c WHERE c.oid = 'block'::regclass`

	// The roles are named after the database, so that two services on one server do
	// not share any. Each may come to its own database only.
	grantSQL = `DO $$
DECLARE
    db     text := quote_ident(current_database());
    app    text := quote_ident(current_database() || '_app');
    reader text := quote_ident(current_database() || '_reader');
BEGIN
    PERFORM pg_advisory_xact_lock(4920550462); -- rights that two change at once are an error
    EXECUTE format('REVOKE ALL ON DATABASE %s FROM PUBLIC', db);
    EXECUTE format('GRANT CONNECT ON DATABASE %s TO %s, %s', db, app, reader);
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %s, %s', app, reader);
    EXECUTE format('REVOKE ALL ON block, goose_db_version FROM PUBLIC, %s, %s', app, reader);
    EXECUTE format('GRANT SELECT ON block, goose_db_version TO %s, %s', app, reader);
    EXECUTE format('GRANT INSERT ON block TO %s', app);
END $$`
)

const (
	undefinedTable  = "42P01"
	undefinedObject = "42704"
)

// Migrate makes the tables, or brings them up to this release's, as the role that
// owns the database. It gives the roles named after the database with _app and
// _reader appended what they may do, and no more: to read, and the first to
// append. They must be there. Several may run at once; one that was killed is gone
// on with by the next. Tables of a newer release are left as they are.
func Migrate(ctx context.Context, c Config) error {
	con, err := newConnector(c, 2)
	if err != nil {
		return err
	}
	// A change of tables may take long, but must not wait for long: whoever appends
	// would wait behind it.
	db := con.pool(2, map[string]string{"statement_timeout": "0", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "0"}, nil)
	err = migrate(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("migrate %s: %w", where(con.cc), err)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	switch at, err := version(ctx, db); {
	case err != nil:
		return err
	case at > schema:
		return fmt.Errorf("tables of version %d, this release knows %d: %w", at, schema, ledger.ErrLevel)
	}
	if _, err := p.Up(ctx); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, grantSQL); err != nil {
		if code(err) == undefinedObject {
			return fmt.Errorf("%w: make the application's and the reader's role first: %w", ErrRefused, err)
		}
		return fmt.Errorf("grant: %w", err)
	}
	return nil
}

// version returns the tables' version, 0 where there are none.
func version(ctx context.Context, db *sql.DB) (int64, error) {
	var v int64
	err := db.QueryRowContext(ctx, versionSQL).Scan(&v)
	if code(err) == undefinedTable {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the version of the tables: %w", err)
	}
	return v, nil
}

// checkTables refuses tables that this release cannot use, and a role that may do
// more to them than append.
func checkTables(ctx context.Context, db *sql.DB) error {
	v, err := version(ctx, db)
	switch {
	case err != nil:
		return err
	case v < schema:
		return fmt.Errorf("%w: tables of version %d, this release needs %d: run migrate first", ErrRefused, v, schema)
	case v > schema+1:
		return fmt.Errorf("tables of version %d, this release runs on %d and %d: %w", v, schema, schema+1, ledger.ErrLevel)
	}
	var logged, mayChange bool
	if err := db.QueryRowContext(ctx, fitSQL).Scan(&logged, &mayChange); err != nil {
		return err
	}
	switch {
	case !logged:
		return fmt.Errorf("%w: table block is unlogged: a crash would empty it", ErrRefused)
	case mayChange:
		return fmt.Errorf("%w: this role may change the log: connect as the one that may only append to it", ErrRefused)
	}
	return nil
}

// code returns PostgreSQL's SQLSTATE, empty for what is not its error.
func code(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}
