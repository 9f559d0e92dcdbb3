package stream

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"

	"github.com/nats-io/nats.go"
)

// sealHeader is where a message says that a relay of this log wrote it.
const sealHeader = "Cotmoc-Seal"

// sealBytes is how much of the code is kept: who does not have the key guesses it in
// one of 2^128 tries.
const sealBytes = 16

// SealKey makes a relay's key of a secret that has other uses.
func SealKey(secret []byte) []byte {
	code := hmac.New(sha256.New, secret)
	code.Write([]byte("cotmoc: seals of a stream"))
	return code.Sum(nil)
}

// sealer makes seals with one key, one after the other.
type sealer struct {
	code hash.Hash
	sum  []byte
}

func newSealer(key []byte) *sealer { return &sealer{code: hmac.New(sha256.New, key)} }

// seal is what only who has the key can put on a message: that it stands in this stream
// under this number and subject.
func (s *sealer) seal(stream string, n uint64, subject string, body []byte) string {
	s.code.Reset()
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], n)
	for _, part := range [][]byte{[]byte(stream), number[:], []byte(subject), body} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		s.code.Write(length[:])
		s.code.Write(part)
	}
	s.sum = s.code.Sum(s.sum[:0])
	return base64.RawURLEncoding.EncodeToString(s.sum[:sealBytes])
}

// sealed reports whether a relay of this log wrote a message.
func sealed(key []byte, stream string, n uint64, subject string, header nats.Header, body []byte) bool {
	return hmac.Equal([]byte(header.Get(sealHeader)), []byte(newSealer(key).seal(stream, n, subject, body)))
}
