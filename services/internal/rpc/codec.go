package rpc

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that this one is made of
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/services/internal/wire"
)

// codec leaves a request as it came, in the message's unknown fields, to whoever knows the
// caller and the method: nothing is made of it before it is known that it may be. Answers
// it encodes as gRPC does, and counts them until they have gone out.
type codec struct{ plain encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Name implements encoding.CodecV2.
func (codec) Name() string { return "proto" }

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	msg, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("a %T is no message", v)
	}
	raw := make([]byte, data.Len())
	data.CopyTo(raw)
	msg.ProtoReflect().SetUnknown(raw)
	return nil
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	a, ok := v.(*answer)
	if !ok {
		return c.plain.Marshal(v)
	}
	data, err := c.plain.Marshal(a.msg)
	if err == nil {
		a.to.Owe(a.stream, data.Len())
	}
	return data, err
}

// answer is a message on its way out over a connection.
type answer struct {
	msg    any
	to     *wire.Conn
	stream uint32
}

// raw takes the bytes that Unmarshal left out of a message.
func rawOf(msg proto.Message) []byte {
	m := msg.ProtoReflect()
	raw := m.GetUnknown()
	m.SetUnknown(nil)
	return raw
}
