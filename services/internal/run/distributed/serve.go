package distributed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"
	"sigs.k8s.io/yaml"

	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/obs"
	"github.com/cotmoc/cotmoc/services/internal/run"
)

// Serve runs a replica until ctx ends or a listener fails, and stops it cleanly.
// start is given the settings' log; c is what the replica is started with.
func Serve(ctx context.Context, c *Config, start func(context.Context) (*Process, error)) error {
	log, err := obs.NewLog(os.Stderr, obs.Format(c.LogFormat), c.LogLevel)
	if err != nil {
		return err
	}
	c.Log = log
	run.KeepMemoryNear()
	began := time.Now()
	p, err := start(ctx)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return nil // it was told to stop before it could work
		}
		return err
	}
	log.Info("serving", zap.String("calls", p.Addr), zap.String("admin", p.AdminAddr),
		zap.String("metrics", p.MetricsAddr), zap.Duration("took", time.Since(began)))
	select {
	case <-ctx.Done():
	case err = <-p.Failed():
	}
	log.Info("stopping")
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.StopWithin)
	defer cancel()
	if closeErr := p.Close(stop); err == nil {
		err = closeErr
	}
	log.Info("stopped", zap.Error(err))
	return err
}

// Migrate brings the tables to this release's, as the database's owner.
func (d Database) Migrate(ctx context.Context) error {
	if err := checkURL("--database-owner-url", d.OwnerURL); err != nil {
		return err
	}
	return postgres.Migrate(ctx, postgres.Config{URL: d.OwnerURL, PasswordFile: d.OwnerPasswordFile})
}

// Print writes the settings of a command as YAML, by the names of its flags, as a file
// may hold them. There are no secrets in it but the names of files with them: a URL
// with a password is refused before.
func Print(w io.Writer, flags []*kong.Flag) error {
	settings := map[string]any{}
	for _, f := range flags {
		if f.Name == "help" || f.Name == "config" || f.Name == "version" {
			continue
		}
		value := f.Target.Interface()
		if d, ok := value.(time.Duration); ok {
			value = d.String()
		}
		settings[strings.ReplaceAll(f.Name, "-", "_")] = value
	}
	text, err := yaml.Marshal(settings)
	if err != nil {
		return fmt.Errorf("print the settings: %w", err)
	}
	_, err = w.Write(text)
	return err
}
