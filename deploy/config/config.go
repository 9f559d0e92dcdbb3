// Package config holds the configuration of the distributed form: the files that an
// installation begins with, and by which Cotmoc runs the whole on one machine.
package config

import (
	"embed"
	"fmt"
	"io"
	"text/template"
)

//go:embed *.yaml *.conf *.tmpl
var files embed.FS

// File is one of the files, such as `registry.yaml`.
func File(name string) ([]byte, error) { return files.ReadFile(name) }

// Account is what a reporting service and its subscribers share in NATS.
type Account struct {
	Name        string
	Service     string // public nkey of the service's user
	Subscribers []Subscriber
}

// WriteAccounts writes the file that nats-server.conf includes.
func WriteAccounts(w io.Writer, accounts []Account) error {
	t, err := template.ParseFS(files, "nats-accounts.conf.tmpl")
	if err != nil {
		return fmt.Errorf("template of NATS's accounts: %w", err)
	}
	return t.Execute(w, accounts)
}
