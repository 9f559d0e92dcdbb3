// Package authority makes certificates for tests and for trying things out: an
// authority in a folder, certificates that hold an identity, a revocation list. It is
// no authority for a nation: its key lies in a file beside what it signs.
package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/auth"
)

// How long what an authority signs is good, unless Validity says otherwise.
const (
	ownValidity     = 10 * 365 * 24 * time.Hour
	defaultValidity = 365 * 24 * time.Hour
	listValidity    = 30 * 24 * time.Hour
)

// skew is how much earlier a certificate begins, for clocks that go behind.
const skew = 5 * time.Minute

// Names of the authority's files in its folder.
const (
	certFile = "ca.crt"
	keyFile  = "ca.key"
	listFile = "ca.crl"
)

// Types of PEM blocks.
const (
	pemCertificate = "CERTIFICATE"
	pemKey         = "PRIVATE KEY"
	pemList        = "X509 CRL"
)

// Authority signs certificates for one domain. It is not for concurrent use.
type Authority struct {
	// Validity is how long the certificates that it issues are good from now on; 0
	// means a year. Below zero, they have expired already.
	Validity time.Duration

	dir    string
	domain string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// New makes an authority for a domain, such as `cotmoc.test`, in a folder in which there
// is none. Its key and those that it makes are for their owner's eyes only.
func New(dir, domain string) (*Authority, error) {
	if _, err := auth.ParseURI("spiffe://"+domain+"/admin/a", domain); err != nil || !isHost(domain) {
		return nil, fmt.Errorf("domain %q is none that could stand in an identity", domain)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	self := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Cotmoc test authority"},
		NotBefore: now.Add(-skew), NotAfter: now.Add(ownValidity), IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		URIs: []*url.URL{{Scheme: "spiffe", Host: domain}}, PermittedURIDomains: []string{domain},
		PermittedDNSDomainsCritical: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, self, self, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's own certificate: %w", err)
	}
	if err := writePair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile), der, key); err != nil {
		return nil, err
	}
	a, err := Open(dir)
	if err != nil {
		return nil, err
	}
	return a, a.writeList(nil)
}

// Open returns the authority of a folder.
func Open(dir string) (*Authority, error) {
	der, err := readBlock(filepath.Join(dir, certFile), pemCertificate)
	if err != nil {
		return nil, fmt.Errorf("authority in %s: %w", dir, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil || len(cert.URIs) != 1 {
		return nil, fmt.Errorf("authority in %s: %s is not an authority's certificate: %w", dir, certFile, err)
	}
	if der, err = readBlock(filepath.Join(dir, keyFile), pemKey); err != nil {
		return nil, fmt.Errorf("authority in %s: %w", dir, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("authority in %s: %w", dir, err)
	}
	own, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("authority in %s: %s holds a key of another kind", dir, keyFile)
	}
	return &Authority{dir: dir, domain: cert.URIs[0].Host, cert: cert, key: own}, nil
}

// Domain is the domain of the identities that it signs.
func (a *Authority) Domain() string { return a.domain }

// Files are where the certificate of an identity such as `unit/79` is, or would be.
func (a *Authority) Files(identity string) auth.Files {
	base := filepath.Join(a.dir, filepath.FromSlash(identity))
	return auth.Files{Cert: base + ".crt", Key: base + ".key",
		CA: filepath.Join(a.dir, certFile), CRL: filepath.Join(a.dir, listFile)}
}

// Issue makes a certificate for an identity: `<role>/<id>`, of a unit's system also
// `<role>/<unit>/<name>`. Hosts are the names and addresses at which a server with it is
// called; only a service has any. A certificate that is there is an error that is
// fs.ErrExist.
func (a *Authority) Issue(identity string, hosts ...string) (auth.Files, error) {
	who, err := auth.ParseURI("spiffe://"+a.domain+"/"+identity, a.domain)
	if err != nil {
		return auth.Files{}, err
	}
	if len(hosts) > 0 && who.Role != auth.Service {
		return auth.Files{}, fmt.Errorf("%s: only a service answers at a host", identity)
	}
	f := a.Files(identity)
	if err := os.MkdirAll(filepath.Dir(f.Cert), 0o700); err != nil {
		return auth.Files{}, fmt.Errorf("make the folder: %w", err)
	}
	if err := a.setAside(f); err != nil {
		return auth.Files{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return auth.Files{}, err
	}
	leaf, err := a.leaf(who.URI, hosts)
	if err != nil {
		return auth.Files{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, key.Public(), a.key)
	if err != nil {
		return auth.Files{}, fmt.Errorf("sign %s: %w", identity, err)
	}
	return f, writePair(f.Cert, f.Key, der, key)
}

// leaf is a certificate to sign. Its subject is left empty: nobody reads it.
func (a *Authority) leaf(uri string, hosts []string) (*x509.Certificate, error) {
	id, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	validity := a.Validity
	if validity == 0 {
		validity = defaultValidity
	}
	now := time.Now()
	leaf := &x509.Certificate{SerialNumber: serial, URIs: []*url.URL{id}, BasicConstraintsValid: true,
		NotBefore: now.Add(min(0, validity) - skew), NotAfter: now.Add(validity), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else if isHost(h) {
			leaf.DNSNames = append(leaf.DNSNames, h)
		} else {
			return nil, fmt.Errorf("host %q is neither a name nor an address", h)
		}
	}
	if len(hosts) > 0 {
		leaf.ExtKeyUsage = append(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return leaf, nil
}

// Revoke puts the certificate of an identity on the revocation list. Another can be
// issued then.
func (a *Authority) Revoke(identity string) error {
	if _, err := auth.ParseURI("spiffe://"+a.domain+"/"+identity, a.domain); err != nil {
		return err
	}
	f := a.Files(identity)
	der, err := readBlock(f.Cert, pemCertificate)
	if err != nil {
		return fmt.Errorf("revoke %s: %w", identity, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("revoke %s: %w", identity, err)
	}
	list, err := a.list()
	if err != nil {
		return err
	}
	if isListed(list, cert.SerialNumber) {
		return fmt.Errorf("revoke %s: certificate %s was revoked before", identity, cert.SerialNumber)
	}
	return a.writeList(cert.SerialNumber)
}

// setAside renames the certificate of an identity and its key where it was revoked.
func (a *Authority) setAside(f auth.Files) error {
	der, err := readBlock(f.Cert, pemCertificate)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Cert, err)
	}
	list, err := a.list()
	if err != nil {
		return err
	}
	if !isListed(list, cert.SerialNumber) {
		return fmt.Errorf("%s: %w", f.Cert, fs.ErrExist)
	}
	for _, path := range []string{f.Cert, f.Key} {
		if err := os.Rename(path, path+"."+cert.SerialNumber.Text(16)+".revoked"); err != nil {
			return err
		}
	}
	return nil
}

func isListed(list *x509.RevocationList, serial *big.Int) bool {
	return slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
		return e.SerialNumber.Cmp(serial) == 0
	})
}

// list is the revocation list as it is; an empty one of number 0 before there is any.
func (a *Authority) list() (*x509.RevocationList, error) {
	der, err := readBlock(filepath.Join(a.dir, listFile), pemList)
	if errors.Is(err, fs.ErrNotExist) {
		return &x509.RevocationList{Number: new(big.Int)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	return list, nil
}

// writeList writes the revocation list as it is, with one serial number more; nil adds
// none.
func (a *Authority) writeList(serial *big.Int) error {
	before, err := a.list()
	if err != nil {
		return err
	}
	list := &x509.RevocationList{Number: new(big.Int).Add(before.Number, big.NewInt(1)),
		RevokedCertificateEntries: before.RevokedCertificateEntries}
	now := time.Now()
	list.ThisUpdate, list.NextUpdate = now, now.Add(listValidity)
	if serial != nil {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: serial, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		return fmt.Errorf("sign the revocation list: %w", err)
	}
	// Renamed into place: whoever reads it sees the old one or the new one.
	path := filepath.Join(a.dir, listFile)
	if err := os.WriteFile(path+".new", encode(pemList, der), 0o644); err != nil {
		return fmt.Errorf("write the revocation list: %w", err)
	}
	return os.Rename(path+".new", path)
}

// newSerial returns a number that nobody guesses.
func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}
