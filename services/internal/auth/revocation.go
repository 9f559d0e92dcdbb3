package auth

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"time"

	"go.uber.org/zap"
)

// authorityKey is the same for all certificates of an authority's one name and key.
type authorityKey string

func keyOf(a *x509.Certificate) authorityKey {
	return authorityKey(a.RawSubject) + authorityKey(a.RawSubjectPublicKeyInfo)
}

// revocations are what an authority has taken back.
type revocations struct {
	number  *big.Int  // of its list; nil where there is none, or it has no number
	updated time.Time // when the list was made; zero where there is none
	revoked []string  // by issuer and serial number
}

// before reports whether r is an older state than o. Numbers only grow, so they decide
// where both have one.
func (r *revocations) before(o *revocations) bool {
	if r.number != nil && o.number != nil && r.number.Cmp(o.number) != 0 {
		return r.number.Cmp(o.number) < 0
	}
	return r.updated.Before(o.updated)
}

// revoke reads revocation lists, each signed by one of the authorities. A list that is
// past its next update still counts: what was revoked stays so.
func (m *material) revoke(data []byte, authorities []*x509.Certificate) error {
	lists := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return err
		}
		var of *revocations
		for _, a := range authorities {
			if list.CheckSignatureFrom(a) == nil {
				of = m.lists[keyOf(a)]
			}
		}
		if of == nil {
			return errors.New("none of the authorities has signed it")
		}
		if read := (&revocations{number: list.Number, updated: list.ThisUpdate}); !read.before(of) {
			of.number, of.updated = read.number, read.updated
		}
		for _, e := range list.RevokedCertificateEntries {
			of.revoked = append(of.revoked, string(list.RawIssuer)+e.SerialNumber.String())
		}
		lists++
	}
	if lists == 0 {
		return errors.New("it holds no list")
	}
	m.mark()
	return nil
}

// mark makes revoked what the lists say.
func (m *material) mark() {
	clear(m.revoked)
	for _, l := range m.lists {
		for _, key := range l.revoked {
			m.revoked[key] = true
		}
	}
}

// keepNewest goes on with the list that was read before, of each authority of which
// only an older one, or none, was read now: whoever puts it back, by mistake or not,
// makes no certificate good again. It returns what to log of each.
func (m *material) keepNewest(last *material) (older [][]zap.Field) {
	for key, now := range m.lists {
		before := last.lists[key]
		if before == nil || !now.before(before) {
			continue
		}
		m.lists[key] = before
		older = append(older, []zap.Field{zap.Stringer("kept_number", before.number), zap.Time("kept_time", before.updated),
			zap.Stringer("refused_number", now.number), zap.Time("refused_time", now.updated)})
	}
	if older != nil {
		m.mark()
	}
	return older
}
