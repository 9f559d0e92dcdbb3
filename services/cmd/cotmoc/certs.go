package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
)

// certsCmd is about certificates for tests and for trying things out.
type certsCmd struct {
	Init   certsInitCmd   `cmd:"" help:"Make an authority in a folder."`
	Issue  certsIssueCmd  `cmd:"" help:"Make certificates for identities."`
	Revoke certsRevokeCmd `cmd:"" help:"Put the certificates of identities on the revocation list."`
}

// certsDir is the folder of an authority.
type certsDir struct {
	Dir string `help:"Folder of the authority." default:"var/certs" type:"path"`
}

// certsInitCmd makes an authority.
type certsInitCmd struct {
	certsDir
	Domain string `help:"Domain of the identities." default:"cotmoc.test"`
}

// Help shows how the command is used.
func (*certsInitCmd) Help() string {
	return `For tests and for trying things out: the authority's key lies beside what it signs.
Where there is an authority already, nothing is changed.

Example:
  cotmoc certs init --dir var/certs --domain cotmoc.test`
}

// Run makes it.
func (k *certsInitCmd) Run(c *console) error {
	a, err := authority.New(k.Dir, k.Domain)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is an authority in %s already; nothing was changed", k.Dir)
	}
	if err != nil {
		return err
	}
	f := a.Files("")
	c.printf("authority of spiffe://%s: %s\nrevocation list: %s\n", a.Domain(), f.CA, f.CRL)
	return nil
}

// certsIssueCmd makes certificates.
type certsIssueCmd struct {
	certsDir
	Host       []string      `help:"Name or address at which the services among the identities are called."`
	Validity   time.Duration `help:"How long they are good." default:"8760h"`
	Identities []string      `arg:"" help:"Identities: role/id, of a unit's system also role/unit/name."`
}

// Help shows how the command is used.
func (*certsIssueCmd) Help() string {
	return `Roles are admin and service, whose id is a name and which reach everything, and unit,
monitor, reader and subscriber, whose id is a unit and which reach that unit and those
below it. What is there is never written over; one that was revoked is set aside.

Example:
  cotmoc certs issue admin/alice unit/79 monitor/vn service/reporting --host 127.0.0.1`
}

// Run makes them.
func (k *certsIssueCmd) Run(c *console) error {
	if k.Validity <= 0 {
		return fmt.Errorf("validity %s is none", k.Validity)
	}
	a, err := authority.Open(k.Dir)
	if err != nil {
		return err
	}
	a.Validity = k.Validity
	if len(k.Host) > 0 && !slices.ContainsFunc(k.Identities, isService) {
		return fmt.Errorf("--host is where services are called, and %s is none: leave --host out, or name a service/…",
			strings.Join(k.Identities, ", "))
	}
	for _, identity := range k.Identities {
		uri := "spiffe://" + a.Domain() + "/" + identity
		who, err := auth.ParseURI(uri, a.Domain())
		if err != nil {
			return err
		}
		var hosts []string
		if who.Role == auth.Service {
			hosts = k.Host
		}
		f, err := a.Issue(identity, hosts...)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s has a certificate that was not revoked; it was not changed: %w", identity, err)
		}
		if err != nil {
			return err
		}
		c.printf("%s: %s %s\n", uri, f.Cert, f.Key)
	}
	return nil
}

// isService reports whether an identity is that of a service, which others call.
func isService(identity string) bool { return strings.HasPrefix(identity, string(auth.Service)+"/") }

// certsRevokeCmd revokes certificates.
type certsRevokeCmd struct {
	certsDir
	Identities []string `arg:"" help:"Identities whose certificates shall be refused from now on."`
}

// Help shows how the command is used.
func (*certsRevokeCmd) Help() string {
	return `Running services read the list again within a second or two, refuse new connections
and end what goes on by the old ones.

Example:
  cotmoc certs revoke unit/79`
}

// Run revokes them.
func (k *certsRevokeCmd) Run(c *console) error {
	a, err := authority.Open(k.Dir)
	if err != nil {
		return err
	}
	for _, identity := range k.Identities {
		if err := a.Revoke(identity); err != nil {
			return err
		}
		c.printf("revoked %s\n", identity)
	}
	return nil
}
