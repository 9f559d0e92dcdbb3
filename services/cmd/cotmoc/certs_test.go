package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cotmoc/cotmoc/services/internal/auth"
)

func TestCertificatesAreMadeOnceAndRevoked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	var out bytes.Buffer
	c := &console{Out: &out, Err: &out}
	at := certsDir{Dir: dir}
	begin := &certsInitCmd{certsDir: at, Domain: "cotmoc.test"}
	if err := begin.Run(c); err != nil {
		t.Fatal(err)
	}
	if err := begin.Run(c); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("a second authority: %v", err)
	}
	issue := &certsIssueCmd{certsDir: at, Host: []string{"127.0.0.1", "reporting.test"}, Validity: 1 << 40,
		Identities: []string{"unit/79", "unit/79/kiosk-1", "admin/alice", "service/reporting"}}
	if err := issue.Run(c); err != nil {
		t.Fatal(err)
	}
	for _, id := range issue.Identities {
		base := filepath.Join(dir, filepath.FromSlash(id))
		f := auth.Files{Cert: base + ".crt", Key: base + ".key", CA: filepath.Join(dir, "ca.crt"), CRL: filepath.Join(dir, "ca.crl")}
		if _, err := auth.ClientTLS(f); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if info, err := os.Stat(f.Key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("key of %s: %v, %v", id, info.Mode(), err)
		}
	}
	idle := &certsIssueCmd{certsDir: at, Host: []string{"h"}, Validity: 1 << 40, Identities: []string{"unit/01", "admin/bob"}}
	if err := idle.Run(c); err == nil || !strings.Contains(err.Error(), "leave --host out") {
		t.Errorf("a host for those who are not called: %v", err)
	}
	one := &certsIssueCmd{certsDir: at, Validity: 1 << 40, Identities: []string{"unit/79"}}
	before, err := os.ReadFile(filepath.Join(dir, "unit", "79.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Run(c); err == nil || !strings.Contains(err.Error(), "was not changed") {
		t.Errorf("over one that is there: %v", err)
	}
	revoke := &certsRevokeCmd{certsDir: at, Identities: []string{"unit/79"}}
	if err := revoke.Run(c); err != nil {
		t.Fatal(err)
	}
	if err := revoke.Run(c); err == nil || !strings.Contains(err.Error(), "revoked before") {
		t.Errorf("revoked twice: %v", err)
	}
	if err := one.Run(c); err != nil {
		t.Errorf("a new one after the old was revoked: %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "unit", "79.crt")); bytes.Equal(before, after) {
		t.Error("the certificate is the old one")
	}
	if !strings.Contains(out.String(), "spiffe://cotmoc.test/unit/79/kiosk-1") {
		t.Errorf("printed %s", out.String())
	}
}

func TestCertificatesThatMakeNoSenseAreRefused(t *testing.T) {
	at := certsDir{Dir: filepath.Join(t.TempDir(), "certs")}
	c := &console{Out: new(bytes.Buffer), Err: new(bytes.Buffer)}
	if err := (&certsInitCmd{certsDir: at, Domain: "Cotmoc/x"}).Run(c); err == nil {
		t.Error("a domain with a slash was taken")
	}
	if err := (&certsIssueCmd{certsDir: at, Validity: 1, Identities: []string{"unit/79"}}).Run(c); err == nil {
		t.Error("issued without an authority")
	}
	if err := (&certsInitCmd{certsDir: at, Domain: "cotmoc.test"}).Run(c); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"", "unit", "unit/", "unit/7 9", "unit/../ca", "king/79", "unit/79/a/b", "admin/alice/x", "unit/79/", "unit/Đ"} {
		if err := (&certsIssueCmd{certsDir: at, Validity: 1, Identities: []string{id}}).Run(c); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
	if err := (&certsRevokeCmd{certsDir: at, Identities: []string{"unit/79"}}).Run(c); err == nil {
		t.Error("revoked what was never issued")
	}
}
