package auth_test

import (
	"crypto/x509"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/auth/authority"
)

// TestACertificateThatExpiresIsGoodForNoCallMore: not on its open connection either.
func TestACertificateThatExpiresIsGoodForNoCallMore(t *testing.T) {
	r := newRig(t, auth.GuardConfig{})
	end := time.Now().Add(5 * time.Second).Truncate(time.Second)
	conn := r.with(t, r.sign(t, &x509.Certificate{SerialNumber: big.NewInt(7), URIs: []*url.URL{{Scheme: "spiffe", Host: "cotmoc.test", Path: "/unit/79"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature}))
	if err := ask(t, conn); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(end) + 100*time.Millisecond)
	if err := ask(t, conn); status.Code(err) != codes.Unauthenticated {
		t.Errorf("after its end: %v", err)
	}
}

// TestARevocationListIsTheAuthoritysOwn: another's, none and half a one are refused at
// the start.
func TestARevocationListIsTheAuthoritysOwn(t *testing.T) {
	r := newRig(t, auth.GuardConfig{})
	other, err := authority.New(filepath.Join(t.TempDir(), "other"), "cotmoc.test")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	own, err := os.ReadFile(r.files.CRL)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"empty": "", "half": string(own[:len(own)/2]), "changed": strings.Replace(string(own), "M", "N", 1)} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, crl := range map[string]string{"another's": other.Files("").CRL, "absent": filepath.Join(dir, "none"), "empty": filepath.Join(dir, "empty"),
		"half": filepath.Join(dir, "half"), "changed": filepath.Join(dir, "changed")} {
		f := r.files
		f.CRL = crl
		if _, err := auth.ServerTLS(f, "cotmoc.test", nil); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := auth.ServerTLS(r.files, "cotmoc.test", nil); err != nil {
		t.Errorf("its own: %v", err)
	}
}
