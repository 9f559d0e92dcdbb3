package pgd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
)

// Database is how the three roles get to a ledger's database.
type Database struct {
	Owner, App, Reader string // URLs
	// PasswordFile holds the password of the three; empty when they need none.
	PasswordFile string
}

// NewDatabase makes a database with the roles <name>_owner, <name>_app and
// <name>_reader, as an administrator would, and migrates it as its owner.
func (s *Server) NewDatabase(ctx context.Context, name string) (Database, error) {
	d, err := s.Empty(ctx, name)
	if err != nil {
		return d, err
	}
	return d, postgres.Migrate(ctx, postgres.Config{URL: d.Owner, PasswordFile: d.PasswordFile})
}

// Empty makes a database with its roles and no tables.
func (s *Server) Empty(ctx context.Context, name string) (Database, error) {
	statements, err := s.statements(name)
	if err == nil {
		err = s.run(ctx, statements...)
	}
	if err != nil {
		return Database{}, fmt.Errorf("make database %s: %w", name, err)
	}
	return s.Database(name), nil
}

// Database is a database that was made before.
func (s *Server) Database(name string) Database {
	d := Database{
		Owner: s.url(name+"_owner", name, false), App: s.url(name+"_app", name, false), Reader: s.url(name+"_reader", name, false),
	}
	if s.cfg.Port != 0 {
		d.PasswordFile = s.passwords()
	}
	return d
}

// Drop removes a database and its roles, also while it is in use.
func (s *Server) Drop(ctx context.Context, name string) error {
	err := s.run(ctx, "DROP DATABASE "+quoted(name)+" WITH (FORCE)",
		"DROP ROLE "+quoted(name+"_owner")+", "+quoted(name+"_app")+", "+quoted(name+"_reader"))
	if err != nil {
		return fmt.Errorf("drop database %s: %w", name, err)
	}
	return nil
}

func (s *Server) statements(name string) ([]string, error) {
	b, err := os.ReadFile(s.passwords())
	if err != nil {
		return nil, err
	}
	// Made by this package of letters and digits.
	password := "'" + strings.TrimSpace(string(b)) + "'"
	var list []string
	for _, role := range []string{"_owner", "_app", "_reader"} {
		list = append(list, "CREATE ROLE "+quoted(name+role)+" LOGIN PASSWORD "+password)
	}
	return append(list, "CREATE DATABASE "+quoted(name)+" OWNER "+quoted(name+"_owner")), nil
}

// run runs statements as the superuser.
func (s *Server) run(ctx context.Context, statements ...string) (err error) {
	conn, err := pgx.Connect(ctx, s.Superuser("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, st := range statements {
		if _, err := conn.Exec(ctx, st); err != nil {
			return err
		}
	}
	return nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
