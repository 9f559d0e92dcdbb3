// Package auth says who calls and what they may do: identities from certificates,
// the permission table of every method, and the guard that applies it.
//
// An identity is the one URI in a certificate, spiffe://<domain>/<role>/<id>, never
// its subject. A role whose id is a unit reaches that unit and those below it, by the
// tree of the period in question; the roles admin and service reach everything.
package auth

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"

	"github.com/cotmoc/cotmoc/pkg/name"
)

// Role is what an identity is for.
type Role string

// The roles. Those of a person's or a process's name reach everything, the others the
// subtree of a unit.
const (
	Admin      Role = "admin"      // keeps what is owed, and the services
	Unit       Role = "unit"       // a unit's system: submits, and reads
	Monitor    Role = "monitor"    // reads, reviews, grants, closes
	Reader     Role = "reader"     // reads
	Subscriber Role = "subscriber" // reads events
	Service    Role = "service"    // a process of ours
)

// Limits of the ids in an identity, as in the contract.
const (
	maxUnitID = 40
	maxName   = 60
)

// known reports whether there is such a role.
func (r Role) known() bool {
	switch r {
	case Admin, Unit, Monitor, Reader, Subscriber, Service:
		return true
	}
	return false
}

// Everything reports whether the role's reach has no bounds but the table's.
func (r Role) Everything() bool { return r == Admin || r == Service }

// Identity is who calls.
type Identity struct {
	URI  string
	Role Role
	// Unit is the id of the unit whose subtree the identity reaches; empty for roles
	// that reach everything.
	Unit string
	// Name is that of the person or process; of a unit's system it may be empty.
	Name string
}

// Key is the same for all systems of a unit in one role, which have an allowance together
// beside that of each; of a person or process it is its own.
func (i Identity) Key() string {
	if i.Role.Everything() {
		return string(i.Role) + "/" + i.Name
	}
	return string(i.Role) + "/" + i.Unit
}

// ParseURI reads an identity of a domain. Nothing but the exact form is read.
func ParseURI(uri, domain string) (Identity, error) {
	path, ok := strings.CutPrefix(uri, "spiffe://"+domain+"/")
	if !ok {
		return Identity{}, fmt.Errorf("identity %.200q is not of spiffe://%s/", uri, domain)
	}
	parts := strings.Split(path, "/")
	who := Identity{URI: uri, Role: Role(parts[0])}
	if !who.Role.known() {
		return Identity{}, fmt.Errorf("identity %.200q: there is no role %.40q", uri, parts[0])
	}
	most := 3
	if who.Role.Everything() {
		most = 2
	}
	if len(parts) < 2 || len(parts) > most {
		return Identity{}, fmt.Errorf("identity %.200q: want spiffe://%s/<role>/<id>", uri, domain)
	}
	if who.Role.Everything() {
		who.Name = parts[1]
	} else if who.Unit = parts[1]; len(parts) == 3 {
		who.Name = parts[2]
	}
	if who.Unit != "" || !who.Role.Everything() {
		if err := name.CheckID(who.Unit, maxUnitID); err != nil {
			return Identity{}, fmt.Errorf("identity %.200q: %w", uri, err)
		}
	}
	if who.Name != "" || len(parts) == most {
		if err := name.CheckID(who.Name, maxName); err != nil {
			return Identity{}, fmt.Errorf("identity %.200q: %w", uri, err)
		}
	}
	return who, nil
}

// identityOf reads the identity of a certificate that is known to be good.
func identityOf(cert *x509.Certificate, domain string) (Identity, error) {
	if cert.IsCA {
		return Identity{}, errors.New("the certificate is an authority's, which calls nobody")
	}
	uris, err := urisOf(cert)
	if err != nil {
		return Identity{}, err
	}
	if len(uris) != 1 {
		return Identity{}, fmt.Errorf("the certificate holds %d URIs: want exactly one identity", len(uris))
	}
	return ParseURI(uris[0], domain)
}

// Where a certificate holds URIs: RFC 5280, 4.2.1.6.
var alternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}

const uriTag = 6

// urisOf reads the URIs of a certificate as they stand there: a url.URL has forgotten
// how its scheme was written, and an empty fragment.
func urisOf(cert *x509.Certificate) (uris []string, _ error) {
	for _, e := range cert.Extensions {
		if !e.Id.Equal(alternativeNames) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(e.Value, &names); err != nil || len(rest) > 0 {
			return nil, errors.New("the certificate's names cannot be read")
		}
		for _, n := range names {
			if n.Class == asn1.ClassContextSpecific && n.Tag == uriTag {
				uris = append(uris, string(n.Bytes))
			}
		}
	}
	return uris, nil
}

// callerKey is the key of the caller in a context.
type callerKey struct{}

// caller is what a guarded call knows of who made it.
type caller struct {
	Identity
	tree   Tree
	denied map[int]error // items of a batch that are not the caller's
	share  *shares       // of allowances; nil where there is no limit
}

func callerOf(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// FromContext returns who calls; false where callers have no identity, which is so in
// development mode only.
func FromContext(ctx context.Context) (Identity, bool) {
	if c := callerOf(ctx); c != nil {
		return c.Identity, true
	}
	return Identity{}, false
}

// URI is the caller's identity for the record; empty where callers have none.
func URI(ctx context.Context) string {
	who, _ := FromContext(ctx)
	return who.URI
}
