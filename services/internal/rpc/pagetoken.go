package rpc

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// sumSize is how much of a SHA-256 a page token carries. It guards against mistakes
// and not against forgers: a key must be nothing but a place to begin at in a list that
// its caller may read. Nor does it hide anything: the key is that of the last element that
// was shown, never of one that was left out. One that leads by itself to what is read, such as the number of
// an event, is to be held against the request by the handler.
const sumSize = 12

// EncodePageToken makes the token of the page that begins after key. It is good
// for the same request alone, whatever its page size.
func EncodePageToken(req proto.Message, key string) string {
	sum := pageSum(req, key)
	return base64.RawURLEncoding.EncodeToString(append(sum[:sumSize:sumSize], key...))
}

// DecodePageToken returns the key after which the page begins: empty for an empty
// token. A token that was not made for this request is INVALID_PAGE_TOKEN.
func DecodePageToken(req proto.Message, token string) (key string, err error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	// Decoding passes over line breaks and stray bits; no token that we made has any.
	if err == nil && len(b) >= sumSize && base64.RawURLEncoding.EncodeToString(b) == token {
		key = string(b[sumSize:])
		if sum := pageSum(req, key); subtle.ConstantTimeCompare(sum[:sumSize], b[:sumSize]) == 1 {
			return key, nil
		}
	}
	return "", apierr.New(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_PAGE_TOKEN, "page_token",
		"the page token was not made for this request; start again without one")
}

// pageSum binds a key to all of a request but its page fields, and how much the
// answering replica must have seen, which may grow from page to page.
func pageSum(req proto.Message, key string) [sha256.Size]byte {
	r := proto.Clone(req).ProtoReflect()
	for _, name := range []protoreflect.Name{"page_token", "page_size", "min_sequence"} {
		if f := r.Descriptor().Fields().ByName(name); f != nil {
			r.Clear(f)
		}
	}
	h := sha256.New()
	name := r.Descriptor().FullName()
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Interface())
	if err != nil {
		body = nil // only text that is not UTF-8, which no request off the wire has
	}
	fmt.Fprintf(h, "%d %s %d ", len(name), name, len(body))
	h.Write(body)
	h.Write([]byte(key))
	return [sha256.Size]byte(h.Sum(nil))
}
