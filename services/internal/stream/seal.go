package stream

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

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

// seal is what only who has the key can put on a message: that it stands in this stream
// under this number and subject.
func seal(key []byte, stream string, n uint64, subject string, body []byte) string {
	code := hmac.New(sha256.New, key)
	var number [8]byte
	for _, part := range [][]byte{[]byte(stream), binary.BigEndian.AppendUint64(nil, n), []byte(subject), body} {
		binary.BigEndian.PutUint64(number[:], uint64(len(part)))
		code.Write(number[:])
		code.Write(part)
	}
	return base64.RawURLEncoding.EncodeToString(code.Sum(nil)[:sealBytes])
}

// sealed reports whether a relay of this log wrote a message.
func sealed(key []byte, stream string, n uint64, subject string, header nats.Header, body []byte) bool {
	return hmac.Equal([]byte(header.Get(sealHeader)), []byte(seal(key, stream, n, subject, body)))
}
