package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
	"github.com/cotmoc/cotmoc/services/internal/pgd"
)

// certified writes a certificate for a name, signed by itself, and its key.
func certified(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func written(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpen_checks_the_servers_certificate(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s := own(t, pgd.Config{Port: l.Addr().(*net.TCPAddr).Port})
	d := database(t, s, "registry")
	cert, key := certified(t, "localhost")
	admin := connected(t, s.Superuser("registry"))
	// The server's own user writes its key: nobody else may read it.
	for file, text := range map[string][]byte{"server.crt": cert, "server.key": key} {
		copied := `COPY (SELECT unnest(string_to_array('` + strings.TrimSpace(string(text)) + `', E'\n'))) TO PROGRAM 'umask 077 && cat > ` + file + `'`
		if code := executed(t, admin, copied); code != "" {
			t.Fatal(code)
		}
	}
	apply(t, admin, "ALTER SYSTEM SET ssl = on")
	u, err := url.Parse(d.App)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := certified(t, "localhost")
	for _, c := range []struct {
		name, host string
		root       []byte
		want       string // part of the error; empty for none
	}{
		{"as_it_should_be", "localhost", cert, ""},
		{"another_authority", "localhost", other, "certificate"},
		{"another_name", "127.0.0.1", cert, "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u.Host = c.host + ":" + l.Addr().String()[strings.LastIndex(l.Addr().String(), ":")+1:]
			u.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {written(t, "root.crt", c.root)}}.Encode()
			st, err := postgres.Open(t.Context(), postgres.Config{URL: u.String(), PasswordFile: d.PasswordFile})
			if err == nil {
				defer st.Close()
			}
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			ledgertest.Fill(t, st, 1)
			var encrypted int
			err = admin.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
				WHERE ssl AND usename = 'registry_app'`).Scan(&encrypted)
			if err != nil || encrypted == 0 {
				t.Errorf("%d encrypted connections, %v", encrypted, err)
			}
		})
	}
}
