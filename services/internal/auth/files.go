package auth

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Files are where a process's certificate and what it trusts are, in PEM. CRL may be
// empty: then nothing is revoked.
type Files struct{ Cert, Key, CA, CRL string }

// lookEvery is how often the files are looked at while there is something to decide:
// a revocation counts at the latest so much later.
const lookEvery = time.Second

// material is what the files said at one time.
type material struct {
	cert    tls.Certificate
	roots   *x509.CertPool
	lists   map[authorityKey]*revocations // an empty one for an authority without a list
	revoked map[string]bool               // by issuer and serial number
}

// keeper keeps the material as the files are, without a restart. Files that cannot be
// read leave what was read before.
type keeper struct {
	files Files
	log   *zap.Logger
	now   atomic.Pointer[material]

	mu     sync.Mutex
	looked time.Time
	stamps [4]stamp
}

// stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

func newKeeper(f Files, log *zap.Logger) (*keeper, error) {
	if log == nil {
		log = zap.NewNop()
	}
	k := &keeper{files: f, log: log, looked: time.Now()}
	var err error
	if k.stamps, err = f.stamps(); err != nil {
		return nil, err
	}
	m, err := f.read()
	if err != nil {
		return nil, err
	}
	k.now.Store(m)
	return k, nil
}

// current returns the material, having looked at the files within lookEvery.
func (k *keeper) current() *material {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.looked) < lookEvery {
		return k.now.Load()
	}
	k.looked = time.Now()
	stamps, err := k.files.stamps()
	if err == nil && stamps == k.stamps {
		return k.now.Load()
	}
	var m *material
	if err == nil {
		m, err = k.files.read()
	}
	if err != nil {
		k.log.Error("certificates cannot be read; going on with those from before", zap.Error(err))
		return k.now.Load()
	}
	k.stamps = stamps
	for _, older := range m.keepNewest(k.now.Load()) {
		k.log.Error("a revocation list is older than the one before it, or gone; going on with the one before", older...)
	}
	k.now.Store(m)
	k.log.Info("certificates were read again", zap.Int("revoked", len(m.revoked)))
	return m
}

func (f Files) stamps() (all [4]stamp, _ error) {
	for i, path := range []string{f.Cert, f.Key, f.CA, f.CRL} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return all, err
		}
		all[i] = stamp{info.ModTime(), info.Size()}
	}
	return all, nil
}

// read reads all files, which must belong together.
func (f Files) read() (*material, error) {
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.Cert, f.Key, err)
	}
	data, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("authority: %w", err)
	}
	authorities, err := parseCertificates(data)
	if err != nil {
		return nil, fmt.Errorf("authority %s: %w", f.CA, err)
	}
	m := &material{cert: cert, roots: x509.NewCertPool(), lists: make(map[authorityKey]*revocations), revoked: make(map[string]bool)}
	for _, a := range authorities {
		m.roots.AddCert(a)
		m.lists[keyOf(a)] = &revocations{}
	}
	if f.CRL == "" {
		return m, nil
	}
	if data, err = os.ReadFile(f.CRL); err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	if err := m.revoke(data, authorities); err != nil {
		return nil, fmt.Errorf("revocation list %s: %w", f.CRL, err)
	}
	return m, nil
}

func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return all, nil
}

// check says why a chain, the caller's own certificate first, is not good now; nil
// when it is. usage is what the certificate is used for.
func (m *material) check(chain []*x509.Certificate, usage x509.ExtKeyUsage) error {
	if len(chain) == 0 {
		return errors.New("there is no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: m.roots, Intermediates: between,
		KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
		return err
	}
	for _, c := range chain {
		if m.revoked[string(c.RawIssuer)+c.SerialNumber.String()] {
			return refusal{reasonRevoked, fmt.Errorf("certificate %s was revoked", c.SerialNumber)}
		}
	}
	return nil
}
