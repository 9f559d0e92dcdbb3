package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	config "github.com/cotmoc/cotmoc/deploy/config"
)

// natsCmd is about who may read events from NATS.
type natsCmd struct {
	User     natsUserCmd     `cmd:"" help:"Make the key of a user who reads, and add the user to a file."`
	Accounts natsAccountsCmd `cmd:"" help:"Print the accounts of a file of users, for servers of NATS beside the services."`
}

// natsUserCmd adds a user.
type natsUserCmd struct {
	Users         string   `help:"File of users; made where there is none." default:"var/nats/users" env:"COTMOC_NATS_USERS" type:"path"`
	Seed          string   `help:"File for the seed, which is the user's secret; NAME.nk beside the file of users when not given." type:"path" placeholder:"FILE"`
	Name          string   `arg:"" help:"Name of the user."`
	Subscriptions []string `arg:"" help:"Names of the subscriptions that it reads; * alone is any."`
}

// Help shows how the command is used.
func (*natsUserCmd) Help() string {
	return `A user reads its own subscriptions and does nothing else. Give it the file with the
seed, and the prefix of its inboxes: _INBOX_ and its name. cotmoc up reads the file of
users when it starts.

Example:
  cotmoc nats user wall-screen wall-screen wall-screen-progress
  cotmoc up --nats-listen 127.0.0.1:7622 --nats-users var/nats/users
  cotmoc watch --subscription wall-screen --nats-seed var/nats/wall-screen.nk --nats-inbox _INBOX_wall-screen`
}

// Run makes the key and adds the user.
func (n *natsUserCmd) Run(c *console) error {
	users, err := config.ReadSubscribers(n.Users)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	seed := n.Seed
	if seed == "" {
		seed = filepath.Join(filepath.Dir(n.Users), n.Name+".nk")
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return err
	}
	key, err := pair.PublicKey()
	if err != nil {
		return err
	}
	user := config.Subscriber{Name: n.Name, Key: key, Consumers: n.Subscriptions}
	if err := config.CheckSubscribers(append(users, user)); err != nil {
		return err
	}
	if err := keepSeed(seed, pair); err != nil {
		return err
	}
	f, err := os.OpenFile(n.Users, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, user.Line())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	c.printf("user %s in %s, seed in %s, inbox %s\n", n.Name, n.Users, seed, user.InboxPrefix())
	return nil
}

// keepSeed writes the secret half of a key to a new file.
func keepSeed(path string, pair nkeys.KeyPair) error {
	seed, err := pair.Seed()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is a seed in %s already; nothing was changed", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(append(seed, '\n'))
	return errors.Join(err, f.Close())
}

// natsAccountsCmd prints accounts.
type natsAccountsCmd struct {
	Users   string `help:"File of users." default:"var/nats/users" env:"COTMOC_NATS_USERS" type:"path"`
	Account string `help:"Name of the service's account; those of its users begin with it." default:"cotmoc"`
	Service string `help:"File with the seed of the service's user (--nats-seed of cotmoc-reporting); made where there is none." required:"" type:"path" placeholder:"FILE"`
}

// Help shows how the command is used.
func (*natsAccountsCmd) Help() string {
	return `What is printed is the file that nats-server.conf includes. Servers read it again by
nats-server --signal reload.

Example:
  cotmoc nats accounts --users users --service nats-service.nk > nats-accounts.conf`
}

// Run prints them.
func (n *natsAccountsCmd) Run(c *console) error {
	users, err := config.ReadSubscribers(n.Users)
	if err != nil {
		return err
	}
	if !config.IsName(n.Account) {
		return fmt.Errorf("--account %q is not a name of lower-case letters, digits and hyphens", n.Account)
	}
	key, err := serviceKey(n.Service)
	if err != nil {
		return err
	}
	return config.WriteAccounts(c.Out, []config.Account{{Name: n.Account, Service: key, Subscribers: users}})
}

// serviceKey is the public half of the key in a file, which is made where there is none.
func serviceKey(path string) (string, error) {
	text, err := os.ReadFile(path)
	var pair nkeys.KeyPair
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if pair, err = nkeys.CreateUser(); err == nil {
			err = keepSeed(path, pair)
		}
	case err == nil:
		pair, err = nkeys.FromSeed(bytes.TrimSpace(text))
	}
	if err != nil {
		return "", fmt.Errorf("seed of the service's user in %s: %w", path, err)
	}
	return pair.PublicKey()
}
