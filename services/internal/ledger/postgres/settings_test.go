package postgres_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
	"github.com/cotmoc/cotmoc/services/internal/pgtest"
)

// own starts a server for one test.
func own(t *testing.T, c pgd.Config) *pgd.Server {
	t.Helper()
	s, err := pgd.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func database(t *testing.T, s *pgd.Server, name string) pgd.Database {
	t.Helper()
	d, err := s.NewDatabase(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpen_refuses_settings_that_lose_what_was_committed(t *testing.T) {
	s := own(t, pgd.Config{})
	d := database(t, s, "registry")
	admin := connected(t, s.Superuser("registry"))
	for _, c := range []struct{ name, set, undo, want string }{
		{"fsync", "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync", "fsync=off"},
		{"full_page_writes", "ALTER SYSTEM SET full_page_writes = off", "ALTER SYSTEM RESET full_page_writes", "full_page_writes=off"},
		{"synchronous_commit", "ALTER SYSTEM SET synchronous_commit = off", "ALTER SYSTEM RESET synchronous_commit", "synchronous_commit=off"},
		{
			"synchronous_commit_of_the_role", "ALTER ROLE registry_app SET synchronous_commit = off",
			"ALTER ROLE registry_app RESET synchronous_commit", "synchronous_commit=off",
		},
		{
			"synchronous_commit_of_the_database", "ALTER DATABASE registry SET synchronous_commit = off",
			"ALTER DATABASE registry RESET synchronous_commit", "synchronous_commit=off",
		},
		{"unlogged", "ALTER TABLE block SET UNLOGGED", "ALTER TABLE block SET LOGGED", "unlogged"},
		{"update", "GRANT UPDATE ON block TO registry_app", "REVOKE UPDATE ON block FROM registry_app", "may change the log"},
		{"delete", "GRANT DELETE ON block TO PUBLIC", "REVOKE DELETE ON block FROM PUBLIC", "may change the log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			apply(t, admin, c.set)
			refused(t, postgres.Config{URL: d.App}, postgres.ErrRefused, c.want)
			apply(t, admin, c.undo)
			st := opened(t, d.App)
			ledgertest.Fill(t, st, 1)
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, extra := range []string{"&synchronous_commit=off", "&options=-c%20synchronous_commit%3Doff"} {
		refused(t, postgres.Config{URL: d.App + extra}, postgres.ErrRefused, "synchronous_commit=off")
	}
}

// apply runs a statement and lets the server read its configuration again. It returns
// when new sessions are forked by a process that has read it.
func apply(t *testing.T, admin *pgx.Conn, statement string) {
	t.Helper()
	if code := executed(t, admin, statement); code != "" {
		t.Fatalf("%s: %s", statement, code)
	}
	before := loaded(t, admin)
	if code := executed(t, admin, "SELECT pg_reload_conf()"); code != "" {
		t.Fatal(code)
	}
	for loaded(t, admin) == before {
	}
}

// loaded is when the process that forks sessions read its configuration. An older
// session, such as admin itself, has a time of its own, at which it did so.
func loaded(t *testing.T, admin *pgx.Conn) (at string) {
	t.Helper()
	c, err := pgx.ConnectConfig(t.Context(), admin.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	if err := c.QueryRow(t.Context(), "SELECT pg_conf_load_time()::text").Scan(&at); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestConnections_that_come_later_are_looked_at_too(t *testing.T) {
	s := own(t, pgd.Config{})
	d := database(t, s, "registry")
	st := opened(t, d.App)
	defer st.Close()
	admin := connected(t, s.Superuser("registry"))
	bs := ledgertest.Fill(t, st, 1)
	apply(t, admin, "ALTER SYSTEM SET fsync = off")
	if code := executed(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'registry_app'"); code != "" {
		t.Fatal(code)
	}
	b := ledgertest.Next(bs[0].Head(), 1)
	for range 3 { // the first may meet the connection that was cut
		if err := st.Append(t.Context(), b); err == nil {
			t.Fatal("appended without fsync")
		} else if errors.Is(err, postgres.ErrRefused) {
			break
		}
	}
	for range 20 {
		if _, err := st.Head(t.Context()); err == nil {
			t.Fatal("read over a connection that was to be refused")
		}
	}
	const open = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'registry_app'"
	eventually(t, "those that were refused are closed", func() bool { return count(t, admin, open) <= 2 })
	apply(t, admin, "ALTER SYSTEM RESET fsync")
	if err := st.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func TestSessions_have_limits(t *testing.T) {
	d := pgtest.Fresh(t)
	for setting, want := range map[string]string{
		"statement_timeout": "8s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "5s",
		"search_path": "public", "synchronous_commit": "on", "application_name": "cotmoc",
	} {
		got, err := postgres.Setting(t.Context(), postgres.Config{URL: d.App + "&statement_timeout=0&search_path=other"}, setting)
		if err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", setting, got, err, want)
		}
	}
}

func TestOpen_refuses_ways_on_which_others_may_listen(t *testing.T) {
	const away = "not on this machine"
	for url, want := range map[string]string{
		"postgres://app@db.example/registry":                           away,
		"postgres://app@db.example/registry?sslmode=disable":           away,
		"postgres://app@db.example/registry?sslmode=prefer":            away,
		"postgres://app@db.example/registry?sslmode=require":           away,
		"postgres://app@db.example/registry?sslmode=verify-ca":         away,
		"postgres://app@10.1.2.3/registry?sslmode=allow":               away,
		"postgres://app@localhost,db.example/registry?sslmode=disable": away,
		"postgres://app@0.0.0.0/registry?sslmode=disable":              away,
		"postgres://app@127.0.0.1.example/registry?sslmode=disable":    away,
		"postgres://app:topsecret@localhost/registry":                  "holds a password",
		"postgres://app@localhost/registry?password=topsecret":         "holds a password",
		"postgres://app:topsecret@db.example:port/registry":            "not of the form",
		"host=localhost user=app password=topsecret":                   "not of the form",
		"": "not of the form",
		"postgres://app@db.example/registry?sslmode=verify-full&sslrootcert=/no": "unable to read CA file",
	} {
		t.Run(url, func(t *testing.T) {
			refused(t, postgres.Config{URL: url}, postgres.ErrRefused, want)
			_, err := postgres.Open(t.Context(), postgres.Config{URL: url})
			if strings.Contains(err.Error(), "topsecret") {
				t.Errorf("the password is in the error: %v", err)
			}
		})
	}
}

func TestOpen_takes_the_password_from_a_file(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	s := own(t, pgd.Config{Port: port})
	d := database(t, s, "registry")
	c := postgres.Config{URL: d.App, PasswordFile: d.PasswordFile}
	st, err := postgres.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ledgertest.Fill(t, st, 1)
	good, err := os.ReadFile(d.PasswordFile)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(bad, []byte("topsecret"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSWORD", strings.TrimSpace(string(good)))
	for _, file := range []string{bad, bad + ".absent", ""} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: d.App, PasswordFile: file})
		if err == nil || strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), strings.TrimSpace(string(good))) {
			t.Errorf("with %q: %v", file, err)
		}
	}
	u, err := url.Parse(d.App)
	if err != nil {
		t.Fatal(err)
	}
	u.RawQuery = "sslmode=verify-full"
	if _, err := postgres.Open(t.Context(), postgres.Config{URL: u.String(), PasswordFile: d.PasswordFile}); err == nil {
		t.Error("verify-full was content with a server without TLS")
	}
}

// A database that takes no writes is no primary; one that stops taking them is left
// for one that does, as after a switch of servers.
func TestOpen_wants_what_takes_writes(t *testing.T) {
	s := own(t, pgd.Config{})
	d := database(t, s, "registry")
	admin := connected(t, s.Superuser("registry"))
	st := opened(t, d.App)
	defer st.Close()
	bs := ledgertest.Fill(t, st, 1)
	apply(t, admin, "ALTER SYSTEM SET default_transaction_read_only = on")
	if _, err := postgres.Open(t.Context(), postgres.Config{URL: d.App}); err == nil || !strings.Contains(err.Error(), "read only") {
		t.Errorf("%v, want it to say that the server is read only", err)
	}
	b := ledgertest.Next(bs[0].Head(), 1)
	if err := st.Append(t.Context(), b); err == nil || errors.Is(err, ledger.ErrConflict) {
		t.Errorf("append: %v", err)
	}
	apply(t, admin, "SET default_transaction_read_only = off")
	apply(t, admin, "ALTER SYSTEM RESET default_transaction_read_only")
	if err := st.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func TestAppend_that_no_standby_has_is_not_read_when_its_caller_leaves(t *testing.T) {
	s := own(t, pgd.Config{})
	d := database(t, s, "registry")
	admin := connected(t, s.Superuser("registry"))
	st := opened(t, d.App)
	defer st.Close()
	b := ledgertest.Next(ledgertest.Fill(t, st, 1)[0].Head(), 1)
	apply(t, admin, "ALTER SYSTEM SET synchronous_standby_names = 'away'")
	commitsWait(t, s, admin)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	appended := make(chan error, 1)
	go func() { appended <- st.Append(ctx, b) }()
	eventually(t, "the append waits for a standby", func() bool { return count(t, admin, waiting+" AND usename = 'registry_app'") == 1 })
	leave()
	if err := <-appended; err == nil || errors.Is(err, ledger.ErrConflict) {
		t.Errorf("appended: %v", err)
	}
	time.Sleep(time.Second) // whatever the driver does about a caller who left
	if h, err := st.Head(t.Context()); err != nil || h.Sequence != 1 {
		t.Errorf("the log ends with %d, which a standby that takes over would not have: %v", h.Sequence, err)
	}
	apply(t, admin, "ALTER SYSTEM RESET synchronous_standby_names")
	eventually(t, "it is read when no standby is asked for any longer", func() bool {
		h, err := st.Head(t.Context())
		return err == nil && h.Sequence == 2
	})
}

// waiting counts the sessions whose commit waits for a standby.
const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

// commitsWait returns when commits wait for the standbys that the configuration names:
// they do once the checkpointer has read it, which is some time after new sessions have.
// A session commits nothing again and again until it has to wait.
func commitsWait(t *testing.T, s *pgd.Server, admin *pgx.Conn) {
	t.Helper()
	ctx, end := context.WithCancel(context.Background())
	probe := connected(t, s.Superuser("registry"))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if _, err := probe.Exec(ctx, "SELECT pg_logical_emit_message(true, 'probe', '')"); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { end(); <-done })
	eventually(t, "commits wait for a standby", func() bool { return count(t, admin, waiting) == 1 })
}

// eventually waits for what needs no more than time, of which a busy machine takes much.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}

// count is the number that a query returns.
func count(t *testing.T, admin *pgx.Conn, query string) (n int) {
	t.Helper()
	if err := admin.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
