package rpc

import (
	"errors"
	"fmt"
	"sync"

	"buf.build/go/protovalidate"
	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Checker checks messages against the rules in the contract and the rules for
// text. It is safe for concurrent use; what it learns of a message type is kept.
type Checker struct {
	rules protovalidate.Validator
	plans sync.Map // protoreflect.FullName → *plan
}

// NewChecker returns a checker.
func NewChecker() *Checker {
	return &Checker{rules: protovalidate.GlobalValidator}
}

// Check returns nil when msg keeps all rules, else an INVALID_ARGUMENT with the
// reason INVALID_FIELD that names each bad field by its path from msg down, up to a bound.
// A field that this release does not know is a bad one.
func (c *Checker) Check(msg proto.Message) error {
	return c.check("", msg, "", true)
}

// CheckAt is Check for a part of a request: paths begin with the part's own, such
// as `items[3]`.
func (c *Checker) CheckAt(path string, msg proto.Message) error {
	return c.check(path, msg, "", true)
}

// check looks at the bounds, then at the contract's rules, then at texts. strict says that
// no field may be unknown.
func (c *Checker) check(path string, msg proto.Message, except protoreflect.FullName, strict bool) error {
	w := walk{c: c, except: except, strict: strict}
	w.message(path, msg.ProtoReflect())
	bad := w.bounds
	if len(bad) == 0 {
		var err error
		if bad, err = c.broken(path, msg, except, w.elements); err != nil {
			return err
		}
	}
	if len(bad) == 0 {
		bad = w.bad
	}
	if len(bad) == 0 {
		return nil
	}
	return apierr.NewViolations(codes.InvalidArgument, errorv1.Reason_REASON_INVALID_FIELD,
		bad[0].Field+": "+bad[0].Description, bad)
}

// broken returns which of the contract's rules msg breaks: all, or only the first where
// it has many elements.
func (c *Checker) broken(path string, msg proto.Message, except protoreflect.FullName, elements int) (bad []apierr.Violation, _ error) {
	var opts []protovalidate.ValidationOption
	if except != "" {
		opts = append(opts, protovalidate.WithFilter(protovalidate.FilterFunc(
			func(m protoreflect.Message, _ protoreflect.Descriptor) bool {
				return m.Descriptor().FullName() != except
			})))
	}
	if elements > manyElements {
		opts = append(opts, protovalidate.WithFailFast())
	}
	err := c.rules.Validate(msg, opts...)
	if err == nil {
		return nil, nil
	}
	var broken *protovalidate.ValidationError
	if !errors.As(err, &broken) {
		return nil, fmt.Errorf("check %s: %w", msg.ProtoReflect().Descriptor().FullName(), err)
	}
	for _, v := range broken.Violations[:min(len(broken.Violations), maxFaults)] {
		bad = append(bad, apierr.Violation{
			Field:       join(path, protovalidate.FieldPathString(v.Proto.GetField())),
			Description: describe(v),
		})
	}
	return bad, nil
}

// join puts a field's name behind the path of the message that holds it.
func join(path, name string) string {
	switch {
	case path == "":
		return name
	case name == "":
		return path
	default:
		return path + "." + name
	}
}
