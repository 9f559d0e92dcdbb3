package auth

import (
	"crypto/x509"
	"fmt"
)

// CheckService says what keeps the certificate from being a service's own: it is good
// now, for both sides of a connection, its identity is a service's of the domain, and it
// names a host at which the service can be called, host among them unless that is empty.
// A service that started all the same would be refused by each of its callers.
func (f Files) CheckService(domain, host string) error {
	m, err := f.read()
	if err != nil {
		return err
	}
	var chain []*x509.Certificate
	for _, der := range m.cert.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("certificate %s: %w", f.Cert, err)
		}
		chain = append(chain, c)
	}
	own := chain[0]
	who, err := identityOf(own, domain)
	switch {
	case err != nil:
		return fmt.Errorf("certificate %s: %w", f.Cert, err)
	case who.Role != Service:
		return fmt.Errorf("certificate %s is that of %s: a service's own holds spiffe://%s/service/<name>", f.Cert, who.URI, domain)
	case len(own.DNSNames)+len(own.IPAddresses) == 0:
		return fmt.Errorf("certificate %s names no host at which the service could be called", f.Cert)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if err := m.check(chain, usage); err != nil {
			return fmt.Errorf("certificate %s: %w", f.Cert, err)
		}
	}
	if host == "" {
		return nil
	}
	if err := own.VerifyHostname(host); err != nil {
		return fmt.Errorf("certificate %s, at the host where the services call each other: %w", f.Cert, err)
	}
	return nil
}
