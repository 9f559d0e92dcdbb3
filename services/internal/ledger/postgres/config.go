package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrRefused says that a database, or the way to it, is not fit for a ledger. It
// stays so until somebody changes a setting or runs a migration.
var ErrRefused = errors.New("postgres: refused")

// Config says where a ledger's database is and as whom to go there.
type Config struct {
	// URL is postgres://role@host:port/database?sslmode=verify-full&sslrootcert=file,
	// or with host=/folder among the parameters for a unix socket. Several hosts
	// may be named: the one that takes writes is used. It holds no password.
	URL string
	// PasswordFile holds the role's password, with or without a newline after it.
	// It is read at each connection, so it may change. Empty means no password: the
	// role is known by its certificate or by the socket.
	PasswordFile string
	// Readers is how many connections read at the same time; 0 means 4.
	Readers int
}

const (
	connectTimeout = 3 * time.Second
	callTimeout    = 10 * time.Second // for any one statement, as seen from here
	idleTimeout    = 5 * time.Minute
)

// limits are settings of every session. The server gives up a little before the
// caller does, so that what it says is heard; it also finds dead callers, whose
// locks would bar others.
func limits() map[string]string {
	return map[string]string{
		"application_name":                    "cotmoc",
		"search_path":                         "public",
		"default_transaction_isolation":       "read committed",
		"statement_timeout":                   "8s",
		"lock_timeout":                        "5s",
		"idle_in_transaction_session_timeout": "5s",
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "3",
		"tcp_keepalives_count":                "3",
		"tcp_user_timeout":                    "15000",
	}
}

// parse returns how to connect, without the password. Its errors hold no password
// even where the URL does.
func (c Config) parse() (*pgx.ConnConfig, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("%w: the database's URL is not of the form postgres://role@host:port/database", ErrRefused)
	}
	if _, has := u.User.Password(); has || u.Query().Has("password") {
		return nil, fmt.Errorf("%w: the database's URL holds a password: put it into a file", ErrRefused)
	}
	cc, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := secure(cc); err != nil {
		return nil, err
	}
	cc.Password = "" // from the environment, if there was one
	cc.ConnectTimeout = connectTimeout
	cc.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	cc.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 10 * time.Second, Interval: 3 * time.Second, Count: 3,
	}}).DialContext
	for k, v := range limits() {
		cc.RuntimeParams[k] = v
	}
	return cc, nil
}

// authenticate sets the password for a connection to be made.
func (c Config) authenticate(_ context.Context, cc *pgx.ConnConfig) error {
	if c.PasswordFile == "" {
		return nil
	}
	b, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return fmt.Errorf("read the database's password: %w", err)
	}
	cc.Password = strings.TrimRight(string(b), "\r\n")
	return nil
}

// secure refuses ways to the database on which others could listen or answer.
func secure(cc *pgx.ConnConfig) error {
	ways := append([]*pgconn.FallbackConfig{{Host: cc.Host, TLSConfig: cc.TLSConfig}}, cc.Fallbacks...)
	for _, w := range ways {
		t := w.TLSConfig
		if !local(w.Host) && (t == nil || t.InsecureSkipVerify || t.ServerName == "") {
			return fmt.Errorf("%w: %s is not on this machine: set sslmode=verify-full and sslrootcert in the database's URL", ErrRefused, w.Host)
		}
	}
	return nil
}

// local reports whether a host is a unix socket's folder or this machine's loopback.
func local(host string) bool {
	if host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// where names the database for errors and logs.
func where(cc *pgx.ConnConfig) string {
	return fmt.Sprintf("database %s as %s at %s:%d", cc.Database, cc.User, cc.Host, cc.Port)
}
