package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/time/rate"
)

// oldest is the least version of the server, as server_version_num has it.
const oldest = 150000

const settingsSQL = `SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
    current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')`

// connector makes pools of connections to one database.
type connector struct {
	cfg  Config
	cc   *pgx.ConnConfig
	pace *rate.Limiter
}

// newConnector lets the first connections be made at once and no more than 20 a
// second after them, so that a server that comes back is not stormed.
func newConnector(c Config, connections int) (*connector, error) {
	cc, err := c.parse()
	if err != nil {
		return nil, err
	}
	return &connector{cfg: c, cc: cc, pace: rate.NewLimiter(rate.Every(50*time.Millisecond), connections)}, nil
}

// pool returns a pool that keeps its connections, with settings of its own, and does
// something to each once it is made. Nothing is connected before the first use.
func (c *connector) pool(size int, settings map[string]string, after func(*pgconn.PgConn)) *sql.DB {
	cc := c.cc.Copy()
	maps.Copy(cc.RuntimeParams, settings)
	db := stdlib.OpenDB(*cc,
		stdlib.OptionBeforeConnect(func(ctx context.Context, cc *pgx.ConnConfig) error {
			if err := c.pace.Wait(ctx); err != nil {
				return err
			}
			return c.cfg.authenticate(ctx, cc)
		}),
		stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
			err := checkSettings(ctx, conn)
			if err != nil {
				_ = conn.Close(ctx) // database/sql never hears of it
			}
			if after != nil {
				after(conn.PgConn())
			}
			return err
		}))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(idleTimeout)
	return db
}

// uncancelled makes the server go on with what its caller gave up. An append that waits
// for a standby is already committed on this server: cancelled, it would be read here,
// and be settled as stored, while the standby does not have it. Without its secret, the
// driver's request to cancel is of no session; the server's own limits end what waits
// for a lock.
func uncancelled(conn *pgconn.PgConn) { clear(conn.SecretKey()) }

// checkSettings refuses a session in which what was committed may be lost. It looks
// at each connection anew: settings differ by role, database and session, and
// change while the server runs.
func checkSettings(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var replica bool
	var fsync, pages, commit string
	if err := conn.QueryRow(ctx, settingsSQL).Scan(&version, &replica, &fsync, &pages, &commit); err != nil {
		return fmt.Errorf("read the server's settings: %w", err)
	}
	switch {
	case version < oldest:
		return fmt.Errorf("%w: the server's version is %d.%d, at least 15 is needed", ErrRefused, version/10000, version%10000)
	case replica:
		// It may become the primary, or another may be reached: waiting helps.
		return fmt.Errorf("the server is a standby, not the primary")
	case fsync == "off":
		return fmt.Errorf("%w: fsync=off: a power cut would lose what was committed", ErrRefused)
	case pages == "off":
		return fmt.Errorf("%w: full_page_writes=off: a power cut would damage the log", ErrRefused)
	case commit == "off":
		return fmt.Errorf("%w: synchronous_commit=off (for the server, the database, the role or in the URL): a crash would lose what was committed", ErrRefused)
	}
	return nil
}
