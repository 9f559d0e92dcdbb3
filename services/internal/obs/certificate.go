package obs

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLS returns what a port needs to speak TLS by a certificate and its key, PEM. The
// files are read again when they change; where they cannot be read, what was read
// before is used.
func TLS(cert, key string) (*tls.Config, error) {
	p := &pair{cert: cert, key: key}
	if _, err := p.get(nil); err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: p.get, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// pair is a certificate with its key, as its files last said.
type pair struct {
	cert, key string

	mu      sync.Mutex
	read    *tls.Certificate
	changed time.Time // of the later of the two files, when they were read
}

func (p *pair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed, err := p.stamp()
	if err == nil && p.read != nil && changed.Equal(p.changed) {
		return p.read, nil
	}
	read, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil && p.read != nil { // one of the two may just be on its way
		return p.read, nil
	}
	if err != nil {
		return nil, err
	}
	p.read, p.changed = &read, changed
	return p.read, nil
}

func (p *pair) stamp() (latest time.Time, _ error) {
	for _, path := range []string{p.cert, p.key} {
		info, err := os.Stat(path)
		if err != nil {
			return latest, err
		}
		if info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest, nil
}
